"""A board whose firmware, or the port of it, is not ours, as the library sees it. Sizes in bytes.

`engram install` puts this module into lib/ and what it found and was told into
lib/engram_board.json; where that file is missing (mip) the defaults here hold.
"""

import gc
import json
import sys
import time

# sys.platform -> what its clock is, where it is no chip's: an emulator's, a computer's.
_KINDS = {"mps2": "icount", "linux": "host"}
_UNITS = 24  # erase units of the store

_facts = {
    "name": sys.platform,
    "root": __file__[: __file__.find("/lib/")] if "/lib/" in __file__ else "",
    "store": {"kind": "files", "units": _UNITS, "erase_bytes": 4096},
    "counter": {"kind": _KINDS.get(sys.platform, "device"), "unit": "us"},
    "max_payload_bytes": 240,  # what any port's receive buffer takes, and any heap
}


def _read():
    try:
        from engram_firmware import FACTS  # in firmware of `engram build` for a real board

        _facts.update(FACTS)
    except ImportError:
        pass
    for folder in sys.path:
        try:
            with open(folder + "/engram_board.json") as file:
                _facts.update(json.load(file))
            return
        except OSError:
            pass


_read()
_tick = {"us": time.ticks_us, "instructions": time.ticks_cpu}
_store = None

NAME = _facts["name"]
FS_ROOT = _facts["root"] + "/engram_files"
MAX_PAYLOAD_BYTES = _facts["max_payload_bytes"]
COUNTER_KIND = _facts["counter"]["kind"]
COUNTER_UNIT = _facts["counter"]["unit"]
PROGRAM_BYTES = 1
PROGRAM_ONCE = False

counter = _tick[COUNTER_UNIT]


def _files(units, erase_bytes):
    from engram.store.file_units import FileUnits

    return FileUnits(_facts["root"] + "/engram_store", units, erase_bytes)


def _ram(units, erase_bytes):
    from engram.store.blockdev import RamFlash

    return RamFlash(units, erase_bytes, PROGRAM_BYTES)


_STORES = {"files": _files, "ram": _ram}


def store_device():
    """Block device of the replay region; made when first asked for. None where there is none."""
    global _store
    store = _facts["store"]
    if _store is None and store["kind"] in _STORES:
        _store = _STORES[store["kind"]](store["units"], store["erase_bytes"])
    return _store


def memory():
    """Sizes in bytes: heap. A firmware that is not ours does not tell the rest."""
    heap = gc.mem_alloc() + gc.mem_free()
    return {"ram": heap, "heap": heap}


def _make_root():
    import os

    try:
        os.mkdir(FS_ROOT)
    except OSError:
        pass


_make_root()
