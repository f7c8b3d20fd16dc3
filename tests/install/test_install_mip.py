"""By `mip` a board gets the files that `engram install` puts there."""

import functools
import http.server
import json
import subprocess
import sys
import threading

import pytest

from engram_host import virtual
from engram_host.install import choice, files, make_files, mip, packages
from engram_host.install.files import Files
from engram_host.install.transfer import SETTINGS, Transfer
from install.test_install_board import UNIX, install
from tidy import tree

pytestmark = pytest.mark.board

ARCH = "x64"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the release archive has as mip/."""
    out = tmp_path_factory.mktemp("mip")
    device_files = files.find((ARCH,))
    mip.write(device_files, out / ARCH)
    mip.write_choice(device_files.root, [ARCH], out)
    return out


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *what):
        """A test prints nothing."""


@pytest.fixture
def serve():
    """serve(folder): its address on a server of this computer."""
    servers = []

    def start(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def mpremote(*words, name=UNIX):
    """What mpremote prints, at a board that nobody else talks to."""
    tty = str(virtual.status(name).tty)
    result = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", tty, *words],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def there(repl):
    """Path below lib/ -> (length, CRC) of what a board has of ours, but for what it was told."""
    board = repl(UNIX)
    look = Transfer(board, "/lib")
    look.begin()
    files_there = look.look().files
    board.leave()
    return {name: file for name, file in files_there.items() if name != SETTINGS}


@pytest.mark.parametrize("kernels", ["auto", "small"])
def test_a_board_has_the_files_of_an_install(stock, repl, folder, serve, kernels):
    stock(UNIX).close()
    index = f"{ARCH}/{kernels}.json"
    if kernels == "auto":
        index = mpremote("run", str(folder / "choose.py")).strip()
        assert index == f"{ARCH}/all.json"
    address = f"{serve(folder)}/{index}"
    mpremote("mip", "install", "--no-mpy", "--target", "/lib", address)
    by_mip = there(repl)
    result = install(stock(UNIX), kernels=kernels)
    assert (result["send"], result["stale"]) == ([], []), "nothing is left for an install to do"
    assert there(repl) == by_mip and len(by_mip) > 8


def test_the_library_finds_its_folder_after_mip(stock, folder):
    """Without what an install tells a board, on one whose files lie in /flash."""
    stock(UNIX).close()
    package = str(folder / ARCH / "package.json")
    mpremote("mip", "install", "--no-mpy", "--target", "/flash/lib", package)
    output = mpremote(
        "exec", "import sys; sys.path.insert(0, '/flash/lib');"
        "import engram.opener, engram.backend, engram_board as b;"
        "print(engram.backend.kernels.__name__, b.store_device().ioctl(4, 0), b.FS_ROOT,"
        "b.MAX_PAYLOAD_BYTES)",
    )
    assert output.split() == ["_engram_small", "24", "/flash/engram_files", "240"]


@pytest.mark.slow
def test_the_source_is_a_package_too(stock, serve):
    """`github:OWNER/NAME/device_lib/package.json`: without kernels, Python computes. It needs a
    large file system, as each module is a file: 80 take a minute on a serial line."""
    name = "qemu_m7_stock"
    stock(name).close()
    address = serve(tree.ROOT / "device_lib") + "/package.json"
    mpremote("mip", "install", "--no-mpy", "--target", "/lib", address, name=name)
    output = mpremote(
        "exec", "import engram.opener, engram.backend, engram_board as b;"
        "print(engram.backend.kernels.__name__, b.store_device().ioctl(4, 0))", name=name,
    )
    assert output.split() == ["engram.kernels.python", "24"]


# ---------------------------------------------------------------- the choice


def chosen_by(program, free, arch):
    """What choose.py prints on a board with so much free heap, of an architecture's number."""
    fake = (
        "import gc, sys, types\n"
        f"gc.mem_free = lambda: {free}\n"
        f"sys.implementation = types.SimpleNamespace(_mpy={arch} << 10 | 0x306)\n"
    )
    result = subprocess.run([sys.executable, "-c", fake + program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("number", "arch", "loaded"), [(2, "x64", "x64"), (4, "armv6m", None), (12, "rv64imc", None)]
)
def test_the_script_chooses_as_an_install_does(folder, number, arch, loaded):
    program = (folder / "choose.py").read_text()
    if loaded is None:
        assert chosen_by(program, 1 << 20, number).startswith("none: there are no kernels")
        return
    names = ["all", "train", "small"]
    least = choice.least_free(Files(make_files.folder(), [arch]), packages.USUAL)
    assert [*least] == names
    for at, name in enumerate(names):
        assert chosen_by(program, least[name], number) == f"{loaded}/{name}.json"
        below = chosen_by(program, least[name] - 1, number)
        if at + 1 < len(names):
            assert below == f"{loaded}/{names[at + 1]}.json"
        else:
            assert below.startswith(f"none: expected {least[name]} bytes of free heap")


def test_an_arm_board_takes_the_best_that_is_there(tmp_path):
    root = tmp_path / "device"
    (root / "lib" / "engram").mkdir(parents=True)
    for name in packages.USUAL:
        (root / "lib" / "engram" / f"{name}.pack").write_bytes(bytes(1000))
    for path in ("engram/__init__.mpy", "engram/texts", "engram_pack.mpy"):
        (root / "lib" / path).write_bytes(bytes(10))
    for arch in ("armv6m", "armv7emsp"):
        (root / "kernels" / arch).mkdir(parents=True)
        for module in {m for modules in choice.KERNELS.values() for m in modules}:
            (root / "kernels" / arch / f"{module}.mpy").write_bytes(bytes(100))
    (root / "made.json").write_text(json.dumps({"engram": "0", "abi": "6.3"}))
    mip.write_choice(root, ["armv6m", "armv7emsp"], tmp_path)
    program = (tmp_path / "choose.py").read_text()
    for number, arch in ((4, "armv6m"), (5, "armv6m"), (7, "armv7emsp"), (8, "armv7emsp")):
        assert chosen_by(program, 1 << 20, number) == f"{arch}/all.json"
