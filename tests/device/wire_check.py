"""Frames and files of the link on any host: prints what they become, for hosts to be compared."""

import os
from binascii import crc32

from engram.errors import CommandError, WireError
from engram.link import files, wire

PAYLOADS = (b"", b"a", bytes(range(256)), wire.SPECIAL * 20, b"\x7d\x5d\x7d\x23" * 30)
ROOT = "wire_check"


def exact(name, data):
    print("exact", name, len(data), "%08x" % (crc32(data) & 0xFFFFFFFF))


def refusal(line):
    try:
        wire.decode(line)
    except WireError as e:
        return str(e)
    return "accepted"


def check_frames():
    for i, payload in enumerate(PAYLOADS):
        frame = wire.encode(wire.PUT_DATA, 250 + i, payload)
        exact("frame%d" % i, frame)
        print("exact same", wire.decode(b"noise ~ noise" + frame) == (0x50, 250 + i, payload))
    # Every byte of a frame damaged in three ways: none is accepted.
    frame = wire.encode(wire.SAMPLES, 7, b"some samples \x03\x0a\x7d")
    accepted = 0
    for at in range(len(frame)):
        for damaged in (
            frame[:at] + frame[at + 1 :],
            frame[:at] + bytes((frame[at] ^ 0x10,)) + frame[at + 1 :],
            frame[:at],
        ):
            accepted += refusal(damaged) == "accepted"
    print("exact accepted", accepted)
    for line in (b"", b"hello\n", b"~\n", frame[:-1], b"~k\x01\x09\x00abc1234\n"):
        print("exact refused", refusal(line))


def opened(store, data, crc):
    """The answer of put_open(), without the space of this host's file system."""
    answer = store.put_open("in/a.bin", len(data), crc)
    space = answer.pop("space")
    if not 0 < space["free_bytes"] <= space["total_bytes"]:
        raise ValueError("expected free space within the file system, got %r" % space)
    return sorted(answer.items())


def check_files():
    store = files.Files(ROOT)
    data = bytes(range(256)) * 5
    crc = crc32(data) & 0xFFFFFFFF
    print("exact open", opened(store, data, crc))
    store.put_data(0, data[:700])
    store.close()
    print("exact again", opened(store, data, crc))
    print("exact data", store.put_data(700, data[700:]))
    print("exact close", sorted(store.put_close().items()))
    print("exact same", store.put_open("in/a.bin", len(data), crc)["same"])
    print("exact list", store.list(), sorted(store.stat("in/a.bin").items()))
    exact("get", store.get_data("in/a.bin", 100, 500))
    for name in ("../a", "/a", "", "a//b"):
        try:
            files.safe_path(ROOT, name)
            print("exact accepted", name)
        except CommandError as e:
            print("exact refused", str(e).split(",")[0])
    store.remove("in/a.bin")
    print("exact list", store.list())
    os.rmdir(ROOT + "/in")
    os.rmdir(ROOT)


def main():
    check_frames()
    os.mkdir(ROOT)
    check_files()


if __name__ == "__main__":
    main()
