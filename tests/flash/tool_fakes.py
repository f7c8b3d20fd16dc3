"""Fakes of pyocd, esptool and dfu-util: executables that take the command lines of the real ones.

A fake has a memory, a file, in which it programs and from which it reads back. What a real tool
would refuse (an unknown option, a missing argument) it refuses; each call is kept in `calls`. The
options are those that pyocd 0.46, esptool 5.6 and dfu-util 0.11 tell with --help.
"""

import os
import stat
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("pyocd", "esptool", "dfu-util", "teensy_loader_cli")


def install(folder):
    """Put the fakes into a folder for PATH. Returns it."""
    folder.mkdir()
    for name in NAMES:
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(HERE)!r})\n"
            f"import tool_fakes\nsys.exit(tool_fakes.main({name!r}, sys.argv[1:]))\n"
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def calls(folder):
    """The command lines that came, as lists of words."""
    path = folder / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split("\t") for line in lines]


class Wrong(Exception):
    """The command line is not one of the tool's."""


def taken(words, with_value, flags):
    """Split words into options and the rest; Wrong for an option that there is not."""
    options, rest, words = {}, [], list(words)
    while words:
        word = words.pop(0)
        if word in with_value:
            if not words:
                raise Wrong(f"{word}: expected one argument")
            options.setdefault(word, []).append(words.pop(0))
        elif word in flags:
            options[word] = True
        elif word.startswith("-"):
            raise Wrong(f"no such option: {word}")
        else:
            rest.append(word)
    return options, rest


def spans(path):
    from engram_host.flash import image

    return image.read(Path(path)).spans


def program(parts):
    """Write spans to the fake's memory; every eighth byte wrong when that was asked for."""
    with open(os.environ["FAKE_MEMORY"], "w+b") as memory:
        for at, content in parts:
            data = bytearray(content)
            if os.environ.get("FAKE_FAULT") == "wrong":
                data[len(data) // 2] ^= 0x10
            memory.seek(at)
            memory.write(data)


def read(at, count):
    with open(os.environ["FAKE_MEMORY"], "rb") as memory:
        memory.seek(at)
        return memory.read(count)


def pyocd(words):
    verb, words = words[0], words[1:]
    known = {"-t", "-u"}
    if verb == "load":
        options, rest = taken(words, known, {"-W", "--no-reset"})
        program(spans(*rest))
    elif verb == "commander":
        options, rest = taken(words, known | {"-c"}, {"-W"})
        for line in options["-c"]:
            order, *values = line.split()
            if order == "savemem":
                at, count, path = int(values[0], 0), int(values[1], 0), values[2]
                Path(path).write_bytes(read(at, count))
            elif order != "reset" or values:
                raise Wrong(f"unknown command: {line}")
    else:
        raise Wrong(f"invalid choice: {verb}")
    if "-t" not in options or "-W" not in options:
        raise Wrong("without -t and -W it waits for a probe")


def esptool(words):
    at = next(i for i, word in enumerate(words) if word in ("write-flash", "verify-flash"))
    options, _ = taken(words[:at], {"--chip", "--port", "--after"}, set())
    if options["--chip"][0] not in ("esp32", "esp32s3"):
        raise Wrong(f"invalid chip {options['--chip']}")
    offset, path = words[at + 1 :]
    content = Path(path).read_bytes()
    if words[at] == "write-flash":
        program([(int(offset, 0), content)])
    elif read(int(offset, 0), len(content)) != content:
        print("Verification failed (digest mismatch).")
        raise Wrong("Verification failed.")


def dfu_util(words):
    options, rest = taken(words, {"-a", "-d", "-D", "-U", "-s"}, set())
    if rest or options["-a"] != ["0"] or options["-d"] != ["0483:df11"]:
        raise Wrong(f"unexpected {words}")
    if "-D" in options:
        program(spans(options["-D"][0]))
        return
    where, *modes = options["-s"][0].split(":")
    count = next(int(mode) for mode in modes if mode.isdigit())
    if Path(options["-U"][0]).exists():
        raise Wrong("the file to read into exists")  # the real one opens it with O_EXCL
    Path(options["-U"][0]).write_bytes(read(int(where, 0), count))


def teensy_loader_cli(words):
    options, (path,) = taken([w for w in words if not w.startswith("--mcu=")], set(), {"-v"})
    if "--mcu=TEENSY41" not in words:
        raise Wrong("unknown mcu")
    program(spans(path))


def main(name, words):
    with open(Path(sys.argv[0]).parent / "calls", "a") as log:
        log.write("\t".join([name, *words]) + "\n")
    fault = os.environ.get("FAKE_FAULT")
    if fault == "hang":
        import time

        time.sleep(60)
    if fault == "absent":
        print("No available debug probes are connected")
        return 1
    try:
        {"pyocd": pyocd, "esptool": esptool, "dfu-util": dfu_util,
         "teensy_loader_cli": teensy_loader_cli}[name](words)  # fmt: skip
    except Wrong as e:
        print(f"{name}: error: {e}")
        return 2
    return 0
