"""Reading and unpacking replayed latents takes at most a twentieth of a training step.

Instructions, counted exactly on the emulated Cortex-M4F; flash is read where it lies.
"""

from pathlib import Path

import pytest

from engram_host.convert import convert
from engram_host.datasets import digits
from hosts import BoardHost

pytestmark = pytest.mark.board

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
MOST = 0.05


def digits_model(folder):
    """The model of examples/digits, converted here."""
    data = digits()
    path = folder / "digits.safetensors"
    source = ROOT / "examples" / "digits" / "digits_float.safetensors"
    convert(source, data.x_train[data.y_train < 5], path)
    return path


def fashion_model(_):
    return ROOT / "examples" / "backbones" / "models" / "fashion.safetensors"


# (model, bits of a latent element, bytes of a latent)
CASES = [
    pytest.param(digits_model, 8, 192, id="digits, 8 bits"),
    pytest.param(fashion_model, 4, 128, id="fashion, 4 bits"),
]


@pytest.mark.parametrize("model, bits, latent_bytes", CASES)
def test_reading_takes_a_twentieth_of_a_step_at_most(model, bits, latent_bytes, tmp_path):
    path = model(tmp_path)
    host = BoardHost("qemu_m4f", tmp_path / "board")
    host.start()
    try:
        host.put(path)
        host.put(HERE / "read_share.py")
        call = f"import read_share; read_share.measure({path.name!r}, {bits})"
        size, read, total = (int(n) for n in host.exec(call).split())
    finally:
        host.stop()
    assert size == latent_bytes
    assert 0 < read <= MOST * total, f"{read} of {total} instructions: {read / total:.2%}"
