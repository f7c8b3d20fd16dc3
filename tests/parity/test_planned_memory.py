"""The plan against the heap of 32-bit boards: within 1 %, for models of different shape.

Ours have a stack for the frames of Python calls. MicroPython's own ports, of which the Pico's is
one, keep them on the heap; they are not counted, as a learner does not hold them.

A row takes 12 s on the emulated Pico: conftest.py leaves two of them to every run of the tests.
"""

import pathlib

import pytest
import tiny_model

from engram_host import demo
from engram_host.datasets import digits
from engram_host.make import vae
from firmware.ready import ready
from hosts import BoardHost
from learn import networks

VAE = {"shape": [14, 14, 1], "filters": (8, 16), "strides": (2, 2), "code": 6}
AUTOENCODERS = {
    "image": vae.Recipe(**VAE),
    "values": vae.Recipe([21], code=4, hidden=(16,), likelihood="gaussian"),
    "hinted": vae.Recipe(**VAE, classes=4),
    "plain": vae.Recipe(**VAE, variational=False),
}

# The ports that keep frames on the heap have the same ones there before and after.
MEASURE = """
import gc, engram, engram_board
from array import array
device = engram_board.store_device()
for block in range(device.ioctl(4, 0)):
    device.ioctl(6, block)
def measure():
    learner = engram.open({name!r}, engram_board, batch={batch}, bits={bits}, **{options})
    x = array("f" if learner.input_dtype == "float32" else "B", range(learner.input_elems))
    for i in range(40):
        x[i % len(x)] = i
        learner.observe(x, i % 4 if learner.head_name else None)
    steps = learner.steps()
    next(steps)
    del x
    print(learner.planned_bytes, learner.heap_growth(), learner.info()["recompute"])
measure()
"""


TO_FLASH = """
from binascii import crc32
from engram.places import slots_of
import engram_board
device = engram_board.model_device()
for block in range(device.ioctl(4, 0)):
    device.ioctl(6, block)
def to_flash():
    data = open({name!r}, "rb").read()
    slots = slots_of()
    slots.put_open({name!r}, len(data), crc32(data))
    slots.put_data(0, data)
    slots.put_close()
to_flash()
"""


@pytest.fixture(scope="module", params=("qemu_m4f", "virtual_pico"))
def board(request, tmp_path_factory):
    ready(request.param)
    place = tmp_path_factory.mktemp("models")
    (place / "tiny.safetensors").write_bytes(tiny_model.model_bytes())
    demo.prepare(place, digits(), demo.load_settings())
    host = BoardHost(request.param, place / "state")
    host.start()
    for name in ("tiny.safetensors", "digits.safetensors"):
        host.put(pathlib.Path(place / name))
    yield host
    host.stop()


@pytest.fixture(scope="module", params=AUTOENCODERS)
def autoencoder(board, request, tmp_path_factory):
    """The name of a model that the board has: one at a time, as its file system is small."""
    path = tmp_path_factory.mktemp(request.param) / f"{request.param}.safetensors"
    vae.write(path, AUTOENCODERS[request.param])
    board.put(path)
    yield request.param
    board.exec(f"import os; os.remove({path.name!r})")


def check(board, name, batch, bits=8, **options):
    """Compares; returns whether the learner recomputes activations."""
    board.transport.enter_raw_repl(soft_reset=True)
    name += ".safetensors"
    output = board.exec(MEASURE.format(name=name, batch=batch, bits=bits, options=options))
    planned, measured, recompute = output.split(None, 2)
    print(f"{name}, batch {batch}: planned {planned}, measured {measured}")
    assert int(planned) == pytest.approx(int(measured), rel=0.01)
    return recompute.strip() != "[]"


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(
    "name, batch", [("digits", 16), ("digits", 4), ("tiny", 16), ("tiny", 2)]
)
def test_planned_is_measured(board, name, batch):
    assert not check(board, name, batch)


@pytest.mark.board
@pytest.mark.slow
def test_planned_is_measured_where_weights_are_read_in_place(board):
    name = "digits.safetensors"
    board.transport.enter_raw_repl(soft_reset=True)
    try:
        board.exec(TO_FLASH.format(name=name))
        assert not check(board, "flash:digits", 16)
    finally:
        board.exec("from engram.places import slots_of")
        board.exec(f"slots_of().remove({name!r})")
        board.exec("import engram_board as b; d = b.model_device()")
        board.exec("for i in range(d.ioctl(4, 0)): d.ioctl(6, i)")


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"keep": 0.25, "skip": 0.5}, {"scope": "head,a0.in:norm:0.5,a0.out:norm:0.25"},
], ids=["dynamic", "channels"])  # fmt: skip
def test_planned_is_measured_of_partial_updates(board, options):
    assert not check(board, "digits", 16, **options)


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"format": "q8"}, {"format": "mixed"}, {"format": "q8", "rounding": "sr", "scope": "head"},
    {"format": "q8", "weight_decay": 0.001},
    {"format": "q8", "scope": "all.in:norm:0.5"},
    {"format": "q8", "scope": "head,all.out:norm:0.25", "weight_decay": 0.001},
    {"format": "mixed", "scope": "head,all.in:norm:0.25"}, {"format": "q8", "clip": 1.0},
    {"format": "q8", "rounding": "velocity"}, {"format": "q8", "keep": 0.25, "skip": 0.5},
    {"format": "q8", "keep": (0.1, 1), "clip": 1.0},
], ids=["q8", "mixed", "head", "decay", "inputs", "outputs", "mixed-inputs", "clip",
        "velocity", "keep", "keep-clip"])  # fmt: skip
@pytest.mark.parametrize("name", ["digits", "tiny"])
def test_planned_is_measured_in_q8(board, name, options):
    assert not check(board, name, 16, **options)


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {}, {"format": "q8"}, {"format": "mixed"},
    {"format": "q8", "keep": 0.1, "micro": 4},
], ids=["f32", "q8", "mixed", "keep"])  # fmt: skip
def test_planned_is_measured_of_autoencoders(board, autoencoder, options):
    assert not check(board, autoencoder, 16, **options)


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("network, options", [
    (networks.ds_cnn(), {}), (networks.from_scratch(), {"recompute": "latents,relu1"}),
    (networks.ds_cnn(3), {"format": "q8", "recompute": "latents,relu14,relu18"}),
], ids=["latents", "nodes", "nodes-q8"])  # fmt: skip
def test_planned_is_measured_where_values_are_computed_twice(tmp_path, network, options):
    """Keyword spotters whose last blocks learn, and a CNN that learns whole. At 4 bits a latent of
    8,000 elements goes into an erase unit."""
    network.convert(tmp_path / "network.safetensors")
    host = BoardHost("qemu_m4f", tmp_path / "state")
    host.start()
    try:
        host.put(tmp_path / "network.safetensors")
        assert check(host, "network", 4 if options else 16, bits=4, **options)
    finally:
        host.stop()
