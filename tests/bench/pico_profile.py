"""Where the cycles of a training step go on the virtual Pico: `make pico-profile`.

The emulator puts down cycles to addresses (profile.mjs); the linker's map says whose code is
there. Writes out/bench/pico_profile.json and prints the table. Labelled `cycles`: of an emulator,
by its model of the chip, never compared with one.
"""

import bisect
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "device_lib"), str(ROOT / "host")]

from engram_host import api, boards, demo, virtual  # noqa: E402
from engram_host.datasets import digits, draw_per_class  # noqa: E402
from engram_host.samples import Samples  # noqa: E402

NAME = "virtual_pico"
OUT = ROOT / "out" / "bench" / "pico_profile.json"

# Part of an object's path in the linker's map -> whose code it is. The first that fits counts.
OWNERS = (
    ("firmware/kernels/", "kernels"),
    ("firmware/binding/", "calls of kernels"),
    ("pico_float", "soft float"),
    ("pico_double", "soft float"),
    ("pico_divider", "integer division"),
    ("hardware_divider", "integer division"),
    ("libgcc", "soft float"),
    ("rp2_flash", "flash"),
    ("hardware_flash", "flash"),
    ("lib/littlefs", "file system"),
    ("py/gc.c", "garbage collector"),
    ("tinyusb", "USB"),
    ("mp_usbd", "USB"),
    ("/py/", "Python"),
    ("extmod/", "Python"),
    ("shared/runtime", "Python"),
)
# Functions that the linker's map puts down to the wrong file, or that are worth their own line.
NAMED = (
    (re.compile(r"(__wrap_)?__aeabi_[dfliu]|__check_nan"), "soft float"),
    (re.compile(r"(recursive_)?mutex_|critical_section_|spin_"), "locks for a second core"),
)
ROM_FLASH = "rom_flash_"  # functions of the boot ROM; the others there are arithmetic and copies
SECTION = re.compile(r"^ (?:\.\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+)$")


def owner_of(path):
    return next((owner for part, owner in OWNERS if part in path), "rest of the port and SDK")


def code_map(text):
    """Sorted [(start, end, owner)] of a linker's map: every piece of code or data with an address.

    A section's name may stand on a line of its own, with the rest on the next.
    """
    pieces = []
    for line in text.splitlines():
        match = SECTION.match(line)
        if match:
            start, size = int(match[1], 16), int(match[2], 16)
            if start and size:
                pieces.append((start, start + size, owner_of(match[3])))
    return sorted(pieces)


def functions(elf):
    """Sorted [(address, name)] of the functions of a program."""
    listing = subprocess.run(
        ["arm-none-eabi-nm", "-n", str(elf)], check=True, capture_output=True, text=True
    )
    rows = [line.split() for line in listing.stdout.splitlines()]
    return sorted(
        (int(row[0], 16) & ~1, row[2])
        for row in rows
        if len(row) == 3 and row[1] in "tTwW" and not row[2].startswith("$")
    )


def rom_owner(name):
    """Whose code a function of the boot ROM is."""
    if name.startswith(ROM_FLASH) or name in ("select", "exchange", "end_and_wait"):
        return "flash"
    return "copies" if name in ("rom_memcpy", "rom_memset") else "soft float"


def at_or_before(rows, address):
    """The last of some rows, sorted by their first column, that begins there or before."""
    return rows[max(bisect.bisect_right(rows, address, key=lambda row: row[0]) - 1, 0)]


def shares(profile, pieces, names, rom, busy_cycles):
    """{owner: cycles}, most first. busy_cycles: of the flash chip, found at the ROM's loop."""
    totals = {}
    for address, cycles in profile.items():
        at = int(address)
        if at < 0x4000:
            owner = rom_owner(at_or_before(rom, at)[1])
        else:
            piece, name = at_or_before(pieces, at), at_or_before(names, at)[1]
            owners = [owner for pattern, owner in NAMED if pattern.match(name)]
            owner = piece[2] if at < piece[1] else "native code in RAM"
            owner = owners[0] if owners else owner
        totals[owner] = totals.get(owner, 0) + cycles
    if busy_cycles:
        totals["flash"] = totals.get("flash", 0) - busy_cycles
        totals["flash chip at work"] = busy_cycles
    return dict(sorted(totals.items(), key=lambda row: -row[1]))


class Profiled:
    """The board with a profile, asked for after each part."""

    def __init__(self, board, place):
        self.file = place / "profile.json"
        self.board = board
        self.pieces = code_map((board.build_dir / "firmware.elf.map").read_text())
        self.names = functions(board.build_dir / "firmware.elf")
        self.rom = functions(board.build_dir / "rom.elf")
        self.busy_before = 0
        os.environ["ENGRAM_PICO_PROFILE"] = str(self.file)
        os.environ["ENGRAM_STATE"] = str(place / "state")

    def part(self):
        """{owner: cycles} since the last call."""
        self.file.unlink(missing_ok=True)
        os.kill(virtual.status(NAME).child, signal.SIGUSR2)
        while not self.file.exists():
            time.sleep(0.05)
        report = json.loads(self.file.read_text())
        busy = report["flash"]["busyNanos"]
        cycles = round((busy - self.busy_before) * self.board.facts["chip"]["clock_hz"] / 1e9)
        self.busy_before = busy
        return shares(report["addresses"], self.pieces, self.names, self.rom, cycles)


def measure(place):
    """{"observe", "step", "save"}: each {owner: cycles} a sample, step or call."""
    board = boards.load(NAME)
    api.build(NAME)
    profiled = Profiled(board, place)
    data, settings = digits(), demo.load_settings()
    model = demo.prepare(place, data, settings)
    options = {k: v for k, v in settings["learner"].items() if k != "epochs"}
    api.start(NAME, fresh=True)
    try:
        with api.connect(NAME) as device:
            device.push_model(model, seed=1, strategy="replay", **options)
            x, y = draw_per_class(data.x_train, data.y_train, range(5), 4, 1)
            device.observe(Samples(x, y))
            device.end_session()
            device.save()
            x, y = draw_per_class(data.x_train, data.y_train, [7], 32, 1)
            profiled.part()
            device.observe(Samples(x, y))
            parts = {"observe": (profiled.part(), len(x))}
            steps = list(device.learning(epochs=1))
            parts["step"] = (profiled.part(), len(steps))
            device.end_session()
            device.save()
            parts["save"] = (profiled.part(), 1)
    finally:
        virtual.stop(NAME)
    return {
        name: {owner: round(cycles / number) for owner, cycles in part.items()}
        for name, (part, number) in parts.items()
    }


def main():
    with tempfile.TemporaryDirectory(prefix="engram-profile-") as place:
        figures = measure(Path(place))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n")
    for name, part in figures.items():
        total = sum(part.values())
        print(f"{name}: {total:,} cycles")
        for owner, cycles in part.items():
            print(f"    {owner:26} {cycles:14,} {cycles / total:7.1%}")


if __name__ == "__main__":
    main()
