import numpy as np
import pytest

from engram.store import RamFlash
from engram_host import api, boards, build, samples, virtual
from engram_host.convert import convert
from engram_host.datasets import digits
from engram_host.device import Device
from engram_host.line.link import Link, Timing
from link.fake_board import BoardFacts, FakeBoard

QUICK = Timing(resend=0.2, resend_most=1.0, silence=20, hello=0.25, prompt=1.0)


LIVE = ("unix", "qemu_m4f")


@pytest.fixture(scope="module")
def own_boards(tmp_path_factory):
    """Virtual boards of the file's own, built if they are not there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGRAM_STATE", str(tmp_path_factory.mktemp("state")))
        for board in map(boards.load, LIVE):
            if not board.artefact.exists():
                build.build(board)
        yield
        for name in LIVE:
            virtual.stop(name)


@pytest.fixture(params=LIVE)
def name(request, own_boards):
    """A running board with blank flash."""
    virtual.stop(request.param)
    api.start(request.param, fresh=True)
    return request.param


@pytest.fixture(scope="session")
def data():
    """The digits: real scans, 1,437 to train on, 360 to test."""
    return digits()


@pytest.fixture(scope="session")
def model(tmp_path_factory, data):
    """The digits' device model, converted here."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    source = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    convert(source, data.x_train[data.y_train < 5], path)
    return path


@pytest.fixture
def some(data):
    """some([labels], n): the first n training samples of each label, in the order of the set."""

    def pick(labels, n):
        rows = np.concatenate([np.flatnonzero(data.y_train == c)[:n] for c in labels])
        rows.sort()
        return samples.make(data.x_train[rows], data.y_train[rows])

    return pick


@pytest.fixture
def board(tmp_path):
    """The real agent and library on this computer, with a blank replay region."""
    root = tmp_path / "flash"
    root.mkdir()
    fake = FakeBoard(BoardFacts(root, RamFlash(96, 4096, 256)))
    yield fake
    fake.close()


@pytest.fixture
def device(board, monkeypatch, tmp_path):
    """The host's view of it; logs go to a directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    return Device(Link(board.transport, timing=QUICK))
