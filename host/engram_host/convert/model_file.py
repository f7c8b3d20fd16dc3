"""Safetensors files: read with the safetensors package, written byte for byte the same each time.

The package's own writer orders the metadata by a hash map that is seeded anew in every process,
so two conversions of one model would differ. A model file is compared, cached and named by its
bytes; this writer sorts everything. The layout stays the standard one: u64 header length, JSON,
raw little-endian tensors, here with the tensors of wide elements first so that each is aligned.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from engram.errors import ModelError

Tensors = dict[str, NDArray[Any]]

_DTYPES = {np.dtype(np.float32): "F32", np.dtype(np.int32): "I32", np.dtype(np.int8): "I8"}
_ALIGN = 8


def write(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> int:
    """Writes a safetensors file; returns its size in bytes. Same content, same bytes."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    blobs: list[bytes] = []
    offset = 0
    for name in sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n)):
        tensor = tensors[name]
        if tensor.dtype not in _DTYPES:
            raise ModelError(f"tensor {name}: expected float32, int32 or int8, got {tensor.dtype}")
        blob = np.ascontiguousarray(tensor).astype(tensor.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGN)
    content = struct.pack("<Q", len(text)) + text + b"".join(blobs)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return len(content)


def with_metadata(content: bytes, **entries: str) -> bytes:
    """A safetensors file with entries of its metadata set; its tensors stay as they are."""
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = {**header.pop("__metadata__", {}), **entries}
    header = {"__metadata__": dict(sorted(metadata.items())), **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGN)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def read(path: Path) -> tuple[Tensors, dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises ModelError when the file is missing, truncated or not safetensors.
    """
    if not path.is_file():
        raise ModelError(f"expected a model file, got no file {path}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return tensors, dict(file.metadata() or {})
    except SafetensorError as error:
        raise ModelError(f"{path}: expected a whole safetensors file, got {error}") from error
