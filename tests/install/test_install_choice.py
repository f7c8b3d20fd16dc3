"""What a board gets, and why it cannot: from its facts alone."""

import json
from dataclasses import replace

import pytest

from engram_host.errors import InstallError
from engram_host.install import check, choice, pack, packages, transfer
from engram_host.install.facts import Facts
from engram_host.install.files import Files, Payload
from tidy import tree

PICO = Facts(
    name="micropython",
    version=[1, 25, 0],
    mpy=6 | 3 << 8 | 4 << 10,
    machine="Raspberry Pi Pico with RP2040",
    platform="rp2",
    float_bits=32,
    heap={"free_bytes": 230_000, "used_bytes": 4000},
    root="",
    file_system={
        "block_bytes": 4096,
        "total_bytes": 1 << 20,
        "free_bytes": 1 << 20,
        "writable": True,
        "kind": "VfsLfs2",
    },
    flash={"driver": "rp2.Flash", "blocks": 352, "erase_bytes": 4096},
    ulab=False,
    user_module=False,
    frozen_engram=None,
    missing=[],
)


def mpy(arch, version=6, sub=3):
    number = "none x86 x64 armv6 armv6m armv7m armv7em armv7emsp armv7emdp".split().index(arch)
    return version | sub << 8 | number << 10


@pytest.fixture
def files(tmp_path):
    """A folder of files for boards: packages of 10 kB each, kernels of 60, 30, 15 and 25 kB."""
    (tmp_path / "lib" / "engram").mkdir(parents=True)
    for name in packages.PACKAGES:
        packed = pack.pack({f"{name}.mpy": bytes(10_000)})
        (tmp_path / "lib" / "engram" / f"{name}.pack").write_bytes(packed)
    for name in ("engram/__init__.mpy", "engram/texts", "engram_pack.mpy", "engram_board.mpy"):
        (tmp_path / "lib" / name).write_bytes(b"x")
    sizes = {"_engram": 60_000, "_engram_core": 30_000, "_engram_int8": 15_000}
    sizes |= {"_engram_small": 25_000, "_engram_q8": 15_000}
    for arch in ("armv7emsp", "armv6m"):
        (tmp_path / "kernels" / arch).mkdir(parents=True)
        for module, size in sizes.items():
            (tmp_path / "kernels" / arch / f"{module}.mpy").write_bytes(bytes(size))
    (tmp_path / "made.json").write_text(json.dumps({"engram": "0.1.0", "abi": "6.3"}))
    return lambda *archs: Files(tmp_path, archs)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(PICO, name="circuitpython"), "expected MicroPython .*got circuitpython 1.25.0;"),
        (replace(PICO, version=[1, 22, 2]), r"expected MicroPython 1\.23 or later.*got 1\.22\.2;"),
        (replace(PICO, mpy=mpy("armv6m", version=7)), "expected .* version 6 .*got version 7;"),
        (replace(PICO, mpy=0), "got a firmware that loads none;"),
        (replace(PICO, float_bits=30), "expected .*32 or 64 bits .*got floats of 30 bits;"),
        (replace(PICO, float_bits=0), "got firmware without floats;"),
        (replace(PICO, missing=["json"]), "got a firmware without json;"),
        (replace(PICO, frozen_engram="0.1.0"), "has Engram 0.1.0 built in.*nothing to install"),
        (replace(PICO, file_system=None), "expected a file system that can be written.*got none;"),
        (
            replace(PICO, file_system={**PICO.file_system, "writable": False}),
            "got one that is read-only; mount or format",
        ),
    ],
)
def test_a_refusal_says_what_was_expected_what_it_got_and_what_to_do(facts, words):
    with pytest.raises(InstallError, match=words) as error:
        choice.refuse(facts)
    assert len(str(error.value).split("; ")) == 2


@pytest.mark.parametrize("bits", [32, 64])
def test_a_usual_board_is_not_refused(bits):
    choice.refuse(replace(PICO, float_bits=bits))


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("armv6m", ("armv6m",)),
        ("armv7m", ("armv7m", "armv6m")),
        ("armv7em", ("armv7m", "armv6m")),  # nobody builds armv7em: the next below
        ("armv7emdp", ("armv7emdp", "armv7emsp", "armv7m", "armv6m")),
        ("x64", ("x64",)),
        ("x86", ()),
        ("none", ()),
    ],
)
def test_an_arm_board_loads_every_arm_module_that_is_not_above_its_own(arch, expected):
    assert choice.candidates(replace(PICO, mpy=mpy(arch)), choice.AUTO) == expected


def test_no_native_module_where_none_can_or_need_be():
    assert choice.candidates(PICO, choice.IN_PYTHON) == ()
    assert choice.candidates(replace(PICO, user_module=True), choice.AUTO) == ()
    assert choice.candidates(replace(PICO, mpy=mpy("armv6m", sub=2)), choice.AUTO) == ()


@pytest.mark.parametrize(
    ("free", "modules"),
    [
        (300_000, {"_engram": "armv7emsp"}),
        (205_000, {"_engram_core": "armv7emsp", "_engram_int8": "armv7emsp"}),
        (190_000, {"_engram_small": "armv7emsp"}),
    ],
)
def test_kernels_leave_room_for_a_learner(files, free, modules):
    facts = replace(PICO, mpy=mpy("armv7emsp"), heap={"free_bytes": free, "used_bytes": 0})
    selection = choice.choose(facts, files("armv7emsp", "armv6m"), packages.USUAL, choice.AUTO)
    assert selection.kernels == modules
    assert selection.packages == ("core", "store", "continual", "link")


def test_too_little_heap_is_told(files):
    facts = replace(PICO, heap={"free_bytes": 70_000, "used_bytes": 0})
    with pytest.raises(InstallError, match=r"expected \d+ kB of free heap .*got 70 kB"):
        choice.choose(facts, files("armv6m"), packages.USUAL, choice.AUTO)
    selection = choice.choose(facts, files("armv6m"), ["core"], choice.AUTO)
    assert selection.packages == ("core",)


@pytest.mark.parametrize(
    ("facts", "kernels", "why"),
    [
        (replace(PICO, mpy=mpy("none")), "auto", "loads no native code; plain Python computes"),
        (replace(PICO, mpy=mpy("none"), ulab=True), "auto", "ulab of the firmware computes"),
        (PICO, "python", "asked for; plain Python"),
        (replace(PICO, mpy=mpy("armv6m", sub=2)), "auto", r"\.mpy 6\.2 wanted, 6\.3 is there"),
        (replace(PICO, mpy=mpy("x86")), "auto", "no kernels for x86"),
    ],
)
def test_why_no_native_code(files, facts, kernels, why):
    import re

    selection = choice.choose(facts, files(), packages.USUAL, kernels)
    assert selection.kernels == {} and "python" in selection.packages
    assert re.search(why, selection.why)


def test_a_firmware_with_our_kernels_needs_none(files):
    selection = choice.choose(replace(PICO, user_module=True), files(), packages.USUAL, "auto")
    assert selection.kernels == {} and "python" not in selection.packages


# ---------------------------------------------------------------- packages


def for_boards():
    """The modules of the device library that boards get, as rows name them."""
    library = tree.ROOT / "device_lib" / "engram"
    paths = [p.relative_to(library).with_suffix("") for p in packages.sources(library)]
    return [p.as_posix().removesuffix("/__init__") for p in paths]


def test_every_module_is_in_one_package():
    from fnmatch import fnmatchcase

    for name in for_boards():
        rows = [
            package
            for package, row in packages.PACKAGES.items()
            if any(fnmatchcase(name, pattern) for pattern in row.modules.split())
        ]
        assert len(rows) == 1, f"{name}: in {rows}"
        assert packages.package_of(name) == rows[0]


def test_every_pattern_of_a_package_names_a_module():
    from fnmatch import fnmatch

    names = for_boards()
    for row in packages.PACKAGES.values():
        assert [p for p in row.modules.split() if not any(fnmatch(n, p) for n in names)] == []


def test_what_every_session_loads_is_counted():
    """And of the rest, which loads where an option asks for it, every pattern names a module."""
    from fnmatch import fnmatch

    for name, row in packages.PACKAGES.items():
        loaded = check.IMPORTS[name].replace("engram.", "").replace(".", "/").split()
        assert not [module for module in loaded if row.is_asked(module)]
        own = [module for module in for_boards() if packages.package_of(module) == name]
        assert [p for p in row.asked.split() if not any(fnmatch(n, p) for n in own)] == []


def test_packages_come_with_what_they_need():
    assert packages.with_needs(["continual"]) == ("core", "store", "continual")


# ---------------------------------------------------------------- the store


@pytest.mark.parametrize(
    ("free", "units"), [(1 << 20, 64), (300_000, 57), (100_000, 12), (40_000, 4)]
)
def test_a_store_leaves_room_for_data(free, units):
    assert choice.store(None, None, free) == {
        "kind": "files", "units": units, "erase_bytes": 4096
    }


def test_a_store_that_does_not_fit_is_told():
    with pytest.raises(InstallError, match="expected room .*65536 bytes .*got 20000 free bytes"):
        choice.store("files", 65536, 20_000)
    assert choice.store("ram", 65536, 0)["units"] == 16


# ---------------------------------------------------------------- what changes


def test_only_what_differs_is_sent_and_what_is_stale_goes():
    a, b = Payload(b"a"), Payload(b"b")
    present = transfer.Present({"a": (1, a.crc), "b": (1, 0), "old": (9, 9)}, {}, {})
    difference = transfer.changes(present, {"a": a, "b": b})
    assert (difference.kept, list(difference.send), difference.stale) == (1, ["b"], ["old"])
    assert present.state == "files that no install lists"
