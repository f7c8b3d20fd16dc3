"""Runs at the board's raw REPL; prints one line of JSON: what facts.Facts holds."""

# mypy: ignore-errors

import gc
import json
import os
import sys


def _has(name):
    try:
        __import__(name)
        return True
    except Exception:
        return False


def _float_bits():
    # Mantissas of 52, 23 and 21 bits; those of 21 are floats that share their word with a type.
    try:
        one = float(1)
    except NameError:
        return 0
    for bits, fraction in ((64, 40), (32, 23), (30, 20)):
        if one + one / (1 << fraction) != one:
            return bits
    return 0


def _root():
    for path in sys.path:
        if path.endswith("/lib"):
            return path[:-4]
    return "/flash" if "flash" in os.listdir("/") else ""


def _file_system(root):
    try:
        s = os.statvfs(root or "/")
    except OSError:
        return None
    facts = {"block_bytes": s[0], "total_bytes": s[1] * s[2], "free_bytes": s[0] * s[3]}
    facts["kind"] = _kind(root or "/")
    try:
        name = root + "/engram.tmp"
        open(name, "wb").close()
        os.remove(name)
        facts["writable"] = True
    except OSError:
        facts["writable"] = False
    return facts


def _kind(root):
    # Ports name the class; before 1.25 vfs.mount() does not tell what is mounted.
    try:
        import vfs

        for fs, path in vfs.mount():
            if path == root:
                return str(type(fs))[8:-2]
    except (ImportError, TypeError, AttributeError):
        pass
    return None


def _flash():
    for module, name in (
        ("rp2", "Flash"), ("samd", "Flash"), ("mimxrt", "Flash"), ("nrf", "Flash"),
        ("mps2", "Flash"), ("esp32", "Partition"), ("pyb", "Flash"),
    ):
        if not _has(module):
            continue
        facts = {"driver": module + "." + name}
        try:
            driver = getattr(__import__(module), name)
            if name == "Partition":
                device = driver.find(driver.TYPE_DATA, label="vfs")[0]
            else:
                device = driver()
            facts["blocks"] = device.ioctl(4, 0)
            facts["erase_bytes"] = device.ioctl(5, 0)
        except Exception as e:
            facts["refused"] = repr(e)
        return facts
    return None


def _engram():
    # What is in files says nothing here: transfer.py looks at them one by one.
    path = sys.path[:]
    sys.path[:] = [p for p in path if p == ".frozen"]
    try:
        from engram import __version__

        return __version__
    except Exception:
        return None
    finally:
        sys.path[:] = path
        for name in list(sys.modules):
            if name.split(".")[0] == "engram":
                del sys.modules[name]


def _user_module():
    # Built in, not a file: found without any path.
    path = sys.path[:]
    sys.path[:] = []
    try:
        return _has("_engram")
    finally:
        sys.path[:] = path


def _ask():
    gc.collect()
    free, used = gc.mem_free(), gc.mem_alloc()
    name = sys.implementation
    modules = "array binascii errno io json micropython os random struct sys time uctypes"
    missing = [m for m in modules.split() if not _has(m)]
    for module, function in (("binascii", "crc32"), ("binascii", "a2b_base64")):
        if module not in missing and not hasattr(__import__(module), function):
            missing.append(module + "." + function)
    if not hasattr(sys.stdin, "buffer"):
        missing.append("sys.stdin.buffer")
    root = _root()
    print(json.dumps({
        "name": name[0],
        "version": list(name[1])[:3],
        "mpy": getattr(name, "_mpy", 0),
        "machine": getattr(name, "_machine", sys.platform),
        "platform": sys.platform,
        "float_bits": _float_bits(),
        "heap": {"free_bytes": free, "used_bytes": used},
        "root": root,
        "file_system": _file_system(root),
        "flash": _flash(),
        "ulab": _has("ulab"),
        "user_module": _user_module(),
        "frozen_engram": _engram(),
        "missing": missing,
    }))


_ask()
