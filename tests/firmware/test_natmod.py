"""The native modules: what they hold, what they need, what they compute."""

import re
import subprocess

import pytest

from engram.nn import formats
from engram.nn.program import VIEW
from engram.watch import watch
from firmware import natmod
from firmware.natmod import build, modules
from hosts import BoardHost, run_cpython
from parity.matrix import by_kernel

# Every architecture; one whose compiler is not here is skipped and the skip says what brings it.
ARCHITECTURES = [
    pytest.param(
        arch,
        marks=pytest.mark.skipif(
            arch not in build.available(),
            reason=f"no {program}: {package or 'see firmware/natmod/README.md'}",
        ),
    )
    for arch, (program, package) in build.COMPILERS.items()
]

# What MicroPython's dynamic linker provides; everything else a module brings.
PROVIDED = {
    "_GLOBAL_OFFSET_TABLE_",
    "mp_fun_table",
    "mp_native_qstr_table",
    "mp_type_fun_builtin_0",
    "mp_type_fun_builtin_1",
    "mp_type_fun_builtin_3",
    "mp_type_fun_builtin_var",
}


@pytest.fixture(scope="session")
def natmods():
    """natmods(arch, module): the path of a module, built once."""
    paths = {}

    def make(arch, module=modules.WHOLE):
        if (arch, module) not in paths:
            paths[arch, module] = build.build(arch, module)
        return paths[arch, module]

    return make


def symbols(arch, *files):
    """(kind as nm gives it, name) of every symbol of some objects."""
    nm = build.COMPILERS[arch][0].removesuffix("gcc") + "nm"
    output = subprocess.run([nm, "-A", *files], check=True, capture_output=True, text=True).stdout
    return {tuple(line.split()[-2:]) for line in output.splitlines()}


# ---------------------------------------------------------------- what is in which module


def test_every_kernel_is_in_one_family():
    kernels = set(modules.rows())
    assert len(kernels) > 25
    names = (modules.CORE, *modules.FAMILIES)
    members = {m: {k for k in kernels if modules.family(k) == m} for m in names}
    assert all(members.values())
    assert set().union(*members.values()) == kernels


def test_every_pattern_names_a_kernel():
    """A kernel that is renamed must not fall back into the core unseen."""
    import fnmatch

    patterns = [p for text in modules.FAMILIES.values() for p in text.split()]
    assert [p for p in patterns if not fnmatch.filter(modules.rows(), p)] == []


def test_backend_finds_every_part():
    from engram import backend

    assert set(backend.PARTS) == set(modules.FAMILIES)
    assert {modules.WHOLE, modules.CORE, modules.SMALL} <= set(backend.BACKENDS)


def called_by_the_library():
    """Kernels that the device library calls, and those of the tapes of the ops that are small."""
    names = {"softmax_xent", "sgd_step", "sgd_plain"}  # of classes; with momentum and without
    for path in (natmod.ROOT / "device_lib" / "engram").rglob("*.py"):
        if path.parent.name != "kernels":
            names |= set(re.findall(r"\bkernels\.(\w+)\b(?!\.)(?!\")", path.read_text()))
    for form, ops in modules.SMALL_OPS.items():
        for op in ops.split():
            for rows in formats.load(form).rows(op):
                names |= {row.split()[0] for row in rows}
    names -= {"spent", "bind", "run", "put", "python", "numpy", VIEW}
    names -= set(watch.KERNELS)  # a watch says that it needs more than the small module
    # Integer training and the front-ends are modules of their own beside the small one.
    return {name for name in names if modules.family(name) not in (modules.Q8, modules.FRONT_ENDS)}


def test_the_small_module_holds_what_the_library_calls():
    """No more, and no less; the core and its int8 part have them too."""
    kernels = {kernel for kernel in modules.rows() if modules.holds(modules.SMALL, kernel)}
    assert kernels == called_by_the_library() == set(modules.SMALL_HOLDS)
    assert {modules.family(kernel) for kernel in kernels} == {modules.CORE, "_engram_int8"}


# ---------------------------------------------------------------- what they need


def test_an_unknown_architecture_is_refused():
    with pytest.raises(build.Failed, match="ARCH=z80: expected one of x64 armv6m"):
        build.build("z80")


def test_a_missing_compiler_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    pattern = "expected arm-none-eabi-gcc, got none; apt-get install"
    with pytest.raises(build.Failed, match=pattern):
        build.build("armv6m")


def test_an_old_source_is_refused(tmp_path):
    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "dynruntime.mk").write_text("CFLAGS += -fpic\n")
    with pytest.raises(build.Failed, match=r"expected .* release 1\.25 or later"):
        build.build("x64", source=str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("module", modules.MODULES)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_no_undefined_symbol(natmods, arch, module):
    """Whatever a module calls is in it, or is one of MicroPython's own."""
    path = natmods(arch, module)
    whole = path.parent / f"{module}.build" / f"{module}.o"
    table = symbols(arch, whole)
    assert ("T", "mpy_init") in table
    assert {name for kind, name in table if kind in "Uw"} - PROVIDED == set()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_kernels_have_no_writable_data_on_any_architecture(natmods, arch):
    objects = sorted((natmods(arch).parent / "obj").glob("*.o"))
    assert len(objects) > 10
    writable = {name for kind, name in symbols(arch, *objects) if kind in "bBcCdDsSgG"}
    assert writable == set()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_parts_cost_less_than_the_whole(natmods, arch):
    """Else nobody needs them."""
    whole = natmods(arch).stat().st_size
    assert natmods(arch, modules.CORE).stat().st_size < 0.75 * whole
    both = sum(natmods(arch, part).stat().st_size for part in (modules.CORE, "_engram_int8"))
    assert natmods(arch, modules.SMALL).stat().st_size < 0.8 * both


# ---------------------------------------------------------------- what they compute

CHECK = ["kernels_check", "kernels_cases", "kernels_cases_q8", "kernels_source"]


def lines_of(name, place, paths):
    """What kernels_check prints on a board of its own with these modules' kernels."""
    host = BoardHost(name, place)
    host.start()
    try:
        return natmod.run(host, paths, CHECK[0], CHECK)
    finally:
        host.stop()


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("unix", "x64"),
        ("qemu_m4f", "armv7emsp"),
        ("qemu_m4f", "armv6m"),
        ("qemu_m3", "armv7m"),
        ("qemu_m0p", "armv6m"),
    ],
)
def test_a_module_gives_the_same_bits(built, tmp_path, name, arch):
    """Also the universal one, soft-float code without DSP, on a board with an FPU."""
    built(name)
    lines = lines_of(name, tmp_path, natmod.whole(arch))
    assert lines == run_cpython("cpython-c", "kernels_check")


@pytest.mark.board
@pytest.mark.slow
def test_the_parts_join_to_the_whole(natmods, built, tmp_path):
    built("unix")
    parts = {module: natmods("x64", module) for module in (modules.CORE, *modules.FAMILIES)}
    assert lines_of("unix", tmp_path, parts) == run_cpython("cpython-c", "kernels_check")


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("unix", "x64"),
        ("qemu_m4f", "armv7emsp"),
        ("qemu_m3", "armv7m"),
        ("qemu_m0p", "armv6m"),
    ],
)
def test_the_small_module_gives_the_same_bits(natmods, built, tmp_path, name, arch):
    """Each kernel that it is to hold is there and computes what the reference does."""
    built(name)
    own = by_kernel(lines_of(name, tmp_path, {modules.SMALL: natmods(arch, modules.SMALL)}))
    expected = by_kernel(run_cpython("cpython-c", "kernels_check"))
    assert own == {row: expected[row] for row in expected if row[0] in modules.SMALL_HOLDS}
    assert {kernel for kernel, _ in own} == set(modules.SMALL_HOLDS)


@pytest.mark.board
@pytest.mark.slow
def test_training_with_the_universal_module(natmods, built, tmp_path):
    """The same training run, with the kernels of armv6m and with the firmware's own."""
    built("qemu_m4f")
    host = BoardHost("qemu_m4f", tmp_path)
    host.start()
    try:
        paths = {modules.SMALL: natmods("armv6m", modules.SMALL)}
        native = natmod.run(host, paths, "learner_check", ["learner_check", "tiny_model", "nor"])
        host.transport.enter_raw_repl(soft_reset=True)
        own = host.exec("import learner_check; learner_check.main()").splitlines()
    finally:
        host.stop()
    assert len(own) > 20
    assert native == own
