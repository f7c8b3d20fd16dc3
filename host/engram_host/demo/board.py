"""The board of a demo: a virtual one with a blank flash of its own, or the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engram_host import api, boards, virtual
from engram_host.progress import Reporter

Say = Callable[[str], None]  # is told what happens


@contextmanager
def blank_board(
    port: str, out: Path, say: Say, reporter: Reporter | None
) -> Iterator[dict[str, Any] | None]:
    """A virtual board, built and with a blank flash, the library installed where its firmware is
    stock: gives what api.install() told. Any other port as it is."""
    if not boards.is_known(port) or not boards.load(port).is_virtual:
        yield None
        return
    api.build(port, say=say)
    result = None
    before = os.environ.get("ENGRAM_STATE")
    os.environ["ENGRAM_STATE"] = str(out.resolve() / "board")
    try:
        virtual.stop(port)
        api.start(port, fresh=True)
        if boards.load(port).stock:
            say(f"{port} has stock firmware: installing Engram, as `engram install` does")
            result = api.install(port, reporter)
            heap_bytes = sum(row["heap_bytes"] for row in result["parts"])
            say(
                f"installed: {len(result['send'])} files, {result['send_bytes']:,} bytes, which "
                f"take {heap_bytes:,} bytes of RAM; kernels: {result['kernels']['why']}"
            )
        yield result
    finally:
        virtual.stop(port)
        if before is None:
            del os.environ["ENGRAM_STATE"]
        else:
            os.environ["ENGRAM_STATE"] = before
