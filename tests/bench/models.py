"""The reference models of MLPerf Tiny on the emulated boards: `make bench-models`.

Each is imported from its int8 .tflite, cut before its last layer, pushed, and its frozen stage run
once: instructions by layer and in total, beside the sum of CMSIS-NN's kernels for the same layers
(docs/peers.json); the memory that was planned and what was measured; the size of its file. The
latent is compared with the import's own arithmetic first, byte for byte: a wrong one gets no
figure, and the program ends with 1. Writes out/bench/models.json and prints the tables; with
--docs also puts them into docs/benchmarks-models.md. Needs mlperf_tiny in ENGRAM_DATA.
"""

import argparse
import json
import os
import sys
import tempfile
from binascii import crc32
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / p) for p in ("device_lib", "host", "tests", "tests/bench")]

import models_table  # noqa: E402
import numpy as np  # noqa: E402

from engram_host import api, boards, virtual  # noqa: E402
from engram_host.datasets import place  # noqa: E402
from engram_host.device import MODEL, PLACES  # noqa: E402
from engram_host.errors import HostError  # noqa: E402
from engram_host.imports import cut, original, pipeline  # noqa: E402
from hosts import BoardHost  # noqa: E402

BOARDS = ("qemu_m4f", "qemu_m0p", "qemu_m3", "qemu_m33", "qemu_m55", "qemu_m7")
# name -> file, the value behind which it is cut
MODELS = {
    "kws": ("kws_ref_model.tflite", "flatten_10"),
    "vww": ("vww_96_int8.tflite", "flatten_28"),
    "resnet": ("pretrainedResnet_quant.tflite", "flatten_13"),
    "ad01": ("ad01_int8.tflite", "dense_8"),
}
COPY = "copy"
VIEWS = ("flatten", "reshape")  # layers without a row
PLACE = "flash"  # of the model: its int8 weights are read there
SMALL = {"batch": 1, "bits": 8, "budget": 8}  # of the learner: next to nothing beside the model
WITHIN = 0.01  # of what was planned
OUT = ROOT / "out" / "bench" / "models.json"
COUNTS = ROOT / "tests" / "bench" / "on_board_layers.py"


def made_input(shape):
    """The bytes that fill() of on_board_layers.py makes, (1, *shape) int8."""
    state, values = 1, []
    for _ in range(int(np.prod(shape))):
        state = (state * 1103515245 + 12345) & 0x3FFFFFFF
        values.append((state >> 16 & 255) - 128)
    return np.array(values, np.int8).reshape(1, *shape)


def products(layer):
    """The multiplications of a layer, as if there were no padding."""
    if not layer.tensors:
        return 0
    w = layer.tensors["w"].values
    places = int(np.prod(layer.out[:-1]))
    return places * w.size


def described(name, folder):
    """(model file, its layers with a row, CRC of the latent, bytes of frozen weights)"""
    file, value = MODELS[name]
    path = place.given("mlperf_tiny", file)
    if path is None:
        sys.exit(f"bench-models: expected mlperf_tiny/{file} in ENGRAM_DATA, got none")
    net = pipeline.read(path)
    out = folder / f"{name}.safetensors"
    # an auto-encoder ends in no classes: whatever is above the cut is not counted here
    pipeline.import_model(net, out, cut=value, classes=2 if name == "ad01" else None)
    below = cut.split(net, value, ())[0]
    latent = original.values(net, made_input(net.input_shape), [value])[value]
    weights = sum(p.values.nbytes for layer in below for p in layer.tensors.values())
    layers = [layer for layer in below if layer.op not in VIEWS]
    return out, layers, f"{crc32(latent.tobytes()):08x}", weights


def counted(board, state):
    """The words that on_board_layers.count() prints of the model that was pushed."""
    host = BoardHost(board, state)
    host.start()
    try:
        host.transport.fs_writefile(COUNTS.name, COUNTS.read_bytes())
        code = f"import {COUNTS.stem}; {COUNTS.stem}.count({PLACES[PLACE] + MODEL!r}, {SMALL!r})"
        return host.exec(code).split()
    finally:
        host.stop()


def measure(board, name, model, wrong):
    """The row of a model on a board; appends to `wrong` what is not as it should be."""
    path, layers, crc, weights = model
    facts = boards.load(board)
    row = {
        "model": name, "board": board, "arch": facts.facts["chip"]["arch"], "kind": "icount",
        "flash_bytes": path.stat().st_size, "frozen_weight_bytes": weights,
    }  # fmt: skip
    virtual.stop(board)
    api.start(board, fresh=True)
    try:
        with api.connect(board) as device:
            info = device.push_model(path, place=PLACE, **SMALL)
    except HostError as error:
        return {**row, "refused": str(error)}
    finally:
        virtual.stop(board)
    total, rows, *counts, latent = counted(board, path.parent)
    planned, measured = info["ram_planned_bytes"], info["ram_measured_bytes"]
    names = [layer.name for layer in layers]
    if int(rows) == len(names) + 1:  # behind a view the latent is a copy
        names.append(COPY)
    if latent != crc or int(rows) != len(names):
        wrong.append(f"{name} on {board}: the latent is not that of the import's arithmetic")
        return {**row, "refused": "a wrong answer"}
    if abs(planned - measured) > WITHIN * measured:
        wrong.append(f"{name} on {board}: planned {planned} bytes, measured {measured}")
    by_name = {layer.name: products(layer) for layer in layers}
    by_layer = [
        {"layer": name, "products": by_name.get(name, 0), "instructions": int(n)}
        for name, n in zip(names, counts, strict=True)
    ]
    return {
        **row, "instructions": int(total), "ram_planned_bytes": planned,
        "ram_measured_bytes": measured, "layers": by_layer,
    }  # fmt: skip


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("boards", nargs="*", default=BOARDS, metavar="BOARD")
    options.add_argument("--models", nargs="*", default=MODELS, choices=MODELS)
    options.add_argument("--docs", action="store_true", help="docs/benchmarks-models.md")
    options = options.parse_args()
    wrong, rows = [], []
    with tempfile.TemporaryDirectory(prefix="engram-models-") as folder:
        os.environ["ENGRAM_STATE"] = folder  # boards of this run's own
        models = {name: described(name, Path(folder)) for name in options.models}
        for board in options.boards:
            for name, model in models.items():
                rows.append(measure(board, name, model, wrong))
                said = rows[-1].get("refused") or f"{rows[-1]['instructions']:,} instructions"
                print(f"{board} {name}: {said}", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n")
    texts = models_table.tables(rows)
    print("\n\n".join(texts.values()))
    print(f"wrote {OUT.relative_to(ROOT)}")
    if options.docs:
        models_table.put(texts)
        print(f"wrote {models_table.DOCUMENT.relative_to(ROOT)}")
    for line in wrong:
        print("bench-models:", line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
