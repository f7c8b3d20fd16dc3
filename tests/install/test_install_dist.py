"""The release archive: a user installs from it with no compiler on the computer."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile

import pytest

from engram_host import boards, datasets, demo, virtual
from firmware import natmod
from tidy import tree

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The unpacked archive of `make dist` for the architectures of this computer and of M0+."""
    archs = [arch for arch in ("x64", "armv6m") if arch in natmod.build.available()]
    out = tmp_path_factory.mktemp("dist") / "out"
    command = [sys.executable, "firmware/tools/dist.py", "--out", out, *archs]
    subprocess.run(command, cwd=tree.ROOT, check=True)
    place = tmp_path_factory.mktemp("user")
    (archive,) = out.glob("engram-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(place, filter="data")
    (folder,) = place.iterdir()
    return folder


def test_it_holds_what_a_user_needs(unpacked):
    assert sorted(p.name for p in unpacked.iterdir()) == ["LICENSE", "README.md", "mip", "wheels"]
    wheels = {p.name.split("-", 2)[2]: p for p in (unpacked / "wheels").glob("*.whl")}
    assert len(wheels) == 2 and "py3-none-any.whl" in wheels
    for wheel in wheels.values():
        names = zipfile.ZipFile(wheel).namelist()
        assert "engram_host/_data/device/lib/engram/core.pack" in names
        assert "engram_host/_data/device/kernels/armv6m/_engram_core.mpy" in names
        assert "engram_host/install/on_board/ask.py" in names
        assert "engram_host/_data/examples/digits/demo.toml" in names
        assert "engram_host/_data/build/firmware/qemu_m4f/firmware.elf" in names
        assert "engram_host/_data/build/firmware/LICENSE.micropython" in names
        assert wheel.stat().st_size < 3_000_000, "a wheel is quickly fetched"


def test_each_package_json_names_files_that_are_there(unpacked):
    paths = sorted((unpacked / "mip").rglob("*.json"))
    names = ["all", "core", "package", "q8", "small", "train"]
    for arch in {path.parent for path in paths}:
        assert [path.stem for path in paths if path.parent == arch] == names
    assert (unpacked / "mip" / "choose.py").is_file() and len(paths) >= len(names)
    for path in paths:
        content = json.loads(path.read_text())
        assert [u for _, u in content["urls"] if not (path.parent / u).is_file()] == []
        assert len(content["urls"]) > 5 and content["deps"] == []


ON_THIS_COMPUTER = """
import engram
import numpy as np
assert engram.__file__.startswith(sys.argv[1])
learner = engram.open("digits.safetensors", lr=0.04)
learner.observe_all(engram.samples("base"))
learner.end_session()
file = np.load("sevens.npz")
for x, y in zip(file["x"], file["y"]): learner.observe(x, y)
learner.learn(epochs=2)
print(learner.evaluate(engram.samples("sevens"))["accuracy"], learner.save())
"""


def test_the_wheel_learns_on_this_computer(unpacked, tmp_path):
    """README's lines, in a Python that has the wheel and no checkout."""
    library = tmp_path / "library"
    wheel = next((unpacked / "wheels").glob("*-any.whl"))
    with zipfile.ZipFile(wheel) as file:
        file.extractall(library)
    assert all((library / "engram" / name).exists() for name in ("py.typed", "__init__.pyi"))
    demo.prepare(tmp_path, datasets.digits(), demo.load_settings())
    for times in range(2):
        output = outside(library, tmp_path, ON_THIS_COMPUTER)
        accuracy, generation = output.split()
        assert float(accuracy) > 0.9 and int(generation) == 1 + times
    assert (tmp_path / "digits.engram" / "flash.bin").exists()


@pytest.mark.board
def test_the_demo_runs_from_a_wheel_in_a_new_environment(unpacked, tmp_path):
    """As docs/install.md says: no checkout, no compiler; only the libraries are borrowed."""
    venv = tmp_path / "engram-env"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    wheel = next((unpacked / "wheels").glob("*-abi3-*.whl"))
    pip = [venv / "bin" / "python", "-I", "-m", "pip"]  # it sees no checkout
    pip += ["install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("platlib") + "\n")
    home = tmp_path / "home"
    home.mkdir()
    result = subprocess.run(
        ["engram", "demo", "--port", "unix", "--json"],
        cwd=home,
        env={"PATH": str(venv / "bin"), "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["accuracy_replay"] > 0.9
    assert (home / "out" / "demo" / "report.html").exists()


NO_FIRMWARE = """
from engram_host import api, errors
try:
    api.build("unix")
except errors.BuildError as e:
    print(e)
"""


def test_a_wheel_without_a_firmware_says_what_to_do(unpacked, tmp_path):
    library = tmp_path / "library"
    with zipfile.ZipFile(next((unpacked / "wheels").glob("*-any.whl"))) as file:
        file.extractall(library)
    text = outside(library, tmp_path, NO_FIRMWARE)
    assert "expected a checkout of Engram for the firmware of unix, got an installation" in text
    assert "run `make demo` there" in text and "carries that of qemu_m4f, qemu_m4f_stock" in text


def outside(library, folder, program, *arguments):
    """What a program prints in a Python that has only this library and those that it needs."""
    prepare = (
        "import sys\n"
        f"sys.path[:0] = [{str(library)!r}]\n"
        f"sys.path += [{sysconfig.get_path('platlib')!r}]\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", prepare + program, str(library), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.board
def test_the_wheel_installs_on_a_stock_board_without_a_compiler(unpacked, tmp_path):
    """In a Python of its own, with a PATH on which nothing is."""
    board = boards.load("unix_stock")
    library = tmp_path / "library"
    wheel = next((unpacked / "wheels").glob("*-any.whl"))
    with zipfile.ZipFile(wheel) as file:
        file.extractall(library)
    state = tmp_path / "state"
    os.environ["ENGRAM_STATE"], before = str(state), os.environ["ENGRAM_STATE"]
    try:
        status = virtual.start(board.name, board.command)
        program = (
            "import sys, shutil; "
            f"sys.path[:0] = [{str(library)!r}]; "
            f"sys.path += [{sysconfig.get_path('platlib')!r}]; "
            "assert not any(map(shutil.which, ('gcc', 'cc', 'make', 'mpy-cross'))); "
            "import engram_host.cli as cli; "
            f"assert cli.__file__.startswith({str(library)!r}); sys.exit(cli.main())"
        )
        (tmp_path / "bin").mkdir()
        result = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program]
            + ["install", "--port", str(status.tty), "--json"],
            env={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        answer = json.loads(result.stdout)
        assert answer["kernels"]["modules"] == {"_engram": "x64"}
        assert answer["self_test"] == {"kernels": "_engram", "learner": True}
    finally:
        virtual.stop(board.name)
        os.environ["ENGRAM_STATE"] = before


@pytest.mark.board
def test_mip_installs_the_folder_of_an_architecture(unpacked, tmp_path, monkeypatch):
    """By mpremote, which reads a package.json of this computer."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    board = boards.load("unix_stock")
    status = virtual.start(board.name, board.command)
    try:
        mpremote = [sys.executable, "-m", "mpremote", "connect", str(status.tty)]
        package = unpacked / "mip" / "x64" / "package.json"
        subprocess.run(
            [*mpremote, "mip", "install", "--no-mpy", "--target", "/lib", str(package)],
            check=True,
            capture_output=True,
            timeout=300,
        )
        result = subprocess.run(
            [*mpremote, "exec", "import engram.opener, engram.backend, engram_board as b;"
             "print(engram.backend.kernels.__name__, b.store_device().ioctl(4, 0))"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.stdout.split() == ["_engram_small", "24"]
    finally:
        virtual.stop(board.name)
