"""Reference networks learn on boards with the losses of the definition on CPython.

A board reads the device model that the converter wrote, plans it, and takes steps on mini-batches,
a sample at a time. On the Cortex-M board with 256 KB each learns as much as fits.
"""

import networks
import networks_check
import pytest

from hosts import DEVICE, BoardHost
from parity.test_parity import ATOL, RTOL

pytestmark = pytest.mark.board

WHOLE = {"scope": "all"}
# The auto-encoder is too large: 424 kB in flash, 1.1 MB of RAM.
UNIX = {name: WHOLE for name in networks.NETWORKS if name != "autoencoder"}
CORTEX = UNIX
QUANTIZED = {
    name: {"format": "q8", "momentum": 0.0, "lr": 0.5 if name == "every_op" else 0.02, **WHOLE}
    for name in UNIX
}
CHANNELS = {
    name: {**QUANTIZED[name], "scope": f"head,all.{side}:norm:0.5"}
    for name, side in (("ds_cnn", "in"), ("two_heads", "out"), ("every_op", "in"))
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of all device models."""
    out = tmp_path_factory.mktemp("networks")
    for name, network in networks.NETWORKS.items():
        network().convert(out / f"{name}.safetensors")
    return out


def learned(host, path, options):
    """Losses on a board, in a fresh interpreter; of its files it has this model alone."""
    host.transport.enter_raw_repl(soft_reset=True)
    host.put(path)
    host.transport.enter_raw_repl(soft_reset=True)
    call = f"c.losses({path.name!r}, micro=1, **{options!r})"
    text = host.exec(f"import networks_check as c; c.close('losses', {call})")
    host.exec(f"import os; os.remove({path.name!r})")
    return [float(value) for value in text.split()[2:]]


@pytest.mark.parametrize(
    ("name", "networks_of_run"),
    [("unix", UNIX), ("qemu_m4f", CORTEX), ("unix", QUANTIZED), ("qemu_m4f", QUANTIZED),
     ("unix", CHANNELS), ("qemu_m4f", CHANNELS)],
    ids=["unix", "qemu_m4f", "unix-q8", "qemu_m4f-q8", "unix-channels", "qemu_m4f-channels"],
)  # fmt: skip
def test_a_network_learns_on_a_board_as_on_cpython(folder, tmp_path, name, networks_of_run):
    host = BoardHost(name, tmp_path)
    host.start()
    try:
        host.put(DEVICE / "networks_check.py")
        for network, options in networks_of_run.items():
            path = folder / f"{network}.safetensors"
            expected = networks_check.losses(str(path), micro=1, **options)
            assert expected[-1] < expected[0]
            result = learned(host, path, options)
            assert result == pytest.approx(expected, rel=RTOL, abs=ATOL), network
    finally:
        host.stop()
