"""Stock firmware with ulab: `engram install` takes it where no native code is wanted.

Needs EXTRA_C_MODULES=<checkout of ulab>; the firmware is built for it then.
"""

import os
from pathlib import Path

import pytest

from engram_host import boards, build
from engram_host.install import installer
from engram_host.progress import Silent

NAME = "unix_stock"


def _ulab():
    for folder in filter(None, os.environ.get("EXTRA_C_MODULES", "").split(os.pathsep)):
        for makefile in Path(folder).glob("*/micropython.mk"):
            if (makefile.parent / "ulab.c").exists():
                return folder
    return None


pytestmark = [
    pytest.mark.board,
    pytest.mark.slow,
    pytest.mark.skipif(_ulab() is None, reason="EXTRA_C_MODULES names no checkout of ulab"),
]


@pytest.fixture(scope="module", autouse=True)
def with_ulab():
    build.build(boards.load(NAME))


def test_ulab_computes_where_it_is_asked_for(stock, repl):
    told = installer.install(stock(NAME), installer.Wishes(kernels="python"), Silent())
    assert told["board"]["ulab"] and "ulab" in told["kernels"]["why"]
    assert told["self_test"] == {"kernels": "engram.kernels_np", "learner": True}


def test_native_kernels_come_first(stock):
    told = installer.install(stock(NAME), installer.Wishes(), Silent())
    assert told["board"]["ulab"]
    assert told["self_test"] == {"kernels": "_engram", "learner": True}
