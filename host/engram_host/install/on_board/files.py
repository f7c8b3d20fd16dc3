"""Runs at the board's raw REPL: functions that transfer.py calls, one at a time."""

import json
import os
import sys
from binascii import a2b_base64, crc32


def e_crc(path):
    crc = size = 0
    block = bytearray(512)
    view = memoryview(block)
    with open(path, "rb") as f:
        while True:
            n = f.readinto(block)
            if not n:
                return [size, crc & 0xFFFFFFFF]
            crc = crc32(view[:n], crc)
            size += n


def e_walk(path):
    # One line a file: a list of all would need a heap in one piece.
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return
    for name in names:
        inner = path + "/" + name
        if os.stat(inner)[0] & 0x4000:
            e_walk(inner)
        else:
            print(json.dumps([inner] + e_crc(inner)))


def e_list(folders, files):
    for folder in folders:
        e_walk(folder)
    for path in files:
        try:
            print(json.dumps([path] + e_crc(path)))
        except OSError:
            pass


def e_folder(path):
    at = 0
    while True:
        at = path.find("/", at + 1)
        if at < 0:
            return
        try:
            os.stat(path[:at])
        except OSError:
            os.mkdir(path[:at])


def e_put(path, size, crc):
    # Lines of base64, so that Ctrl-C stays what it is; each is acknowledged once it is written.
    e_folder(path)
    part = path + ".part"
    with open(part, "wb") as f:
        while size > 0:
            data = a2b_base64(sys.stdin.buffer.readline())
            if not data:
                raise ValueError("a line without data")
            f.write(data)
            size -= len(data)
            sys.stdout.write("+")
    if e_crc(part)[1] != crc:
        os.remove(part)
        raise ValueError("crc32")
    try:
        os.rename(part, path)
    except OSError:  # FAT does not replace
        os.remove(path)
        os.rename(part, path)


def e_remove(paths):
    for path in paths:
        os.remove(path)
        while "/engram/" in path:  # folders that are empty then
            path = path[: path.rfind("/")]
            try:
                os.rmdir(path)
            except OSError:
                break


def e_free(root):
    s = os.statvfs(root or "/")
    print(s[0] * s[3])
