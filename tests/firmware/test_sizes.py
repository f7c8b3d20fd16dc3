"""The table of sizes, and the budget that it is held to."""

import pytest

from firmware.natmod import build, modules, sizes


def row(name="engram_f", file="engram_x.c", text=400, stack=40):
    return {"arch": "armv6m", "file": file, "name": name, "text": text, "stack": stack}


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (row(), None),
        (row(text=400 + 60), None),  # 15 %
        (row(text=400 + 64), None),  # not above 64 bytes
        (row(text=400 + 65), "armv6m engram_x.c engram_f: 400 -> 465 bytes, budget 15%"),
        (row(stack=40 + 32), None),
        (row(stack=40 + 40), "armv6m engram_x.c engram_f: frame 40 -> 80 bytes, budget 32"),
        (row("engram_new", stack=2048), None),
        (row("engram_new", stack=2056), "armv6m engram_x.c engram_new: a frame of 2056 bytes"),
        (row(text=10, stack=0), None),
    ],
)
def test_budget_of_a_function(now, words):
    lines = sizes.grown([row()], [now])
    assert len(lines) == (words is not None)
    assert not words or lines[0].startswith(words)


def test_budget_of_a_module():
    before = row("_engram", "", 50000, 0)
    assert sizes.grown([before], [row("_engram", "", 51500, 0)]) == []
    assert sizes.grown([before], [row("_engram", "", 51501, 0)]) == [
        "armv6m _engram: 50000 -> 51501 bytes, budget 3%"
    ]


def test_another_architecture_is_not_compared():
    assert sizes.grown([row()], [dict(row(text=9999, stack=9999), arch="x64")]) == []


def test_another_compiler_is_told():
    before, now = row("gcc 12.2.1", "", 0, 0), row("gcc 14.2.0", "", 0, 0)
    assert sizes.other_compilers([before], [before]) == []
    assert "gcc 14.2.0, the baseline is of gcc 12.2.1" in sizes.other_compilers([before], [now])[0]


def test_the_baseline_has_every_kernel():
    """A kernel without a baseline has no budget."""
    pairs = {(r["arch"], r["name"]) for r in sizes.read(sizes.BASELINE)}
    arches = {arch for arch, _ in pairs}
    assert {"x64", "armv6m", "armv7m", "armv7emsp", "armv7emdp"} <= arches
    names = {"engram_" + kernel for kernel in modules.rows()} | set(modules.MODULES)
    assert {(a, k) for a in arches for k in names} - pairs == set()


@pytest.mark.slow
def test_measured_rows_are_of_what_was_built():
    rows = sizes.measure(["x64"], say=lambda *text, **options: None)
    by_name = {r["name"]: r for r in rows}
    module = build.OUT / "x64" / "_engram.mpy"
    assert by_name["_engram"]["text"] == module.stat().st_size
    dense = by_name["engram_dense_fwd"]
    assert dense["file"] == "engram_dense.c" and dense["text"] > 50
    assert by_name["kernel_call"]["stack"] > 100  # its arguments lie there
