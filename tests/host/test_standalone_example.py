"""examples/standalone and docs/field.md: a board that is taught by its button, over power cuts."""

import importlib.util
import json
import os
import re
import select
import shlex
import sys
import termios
import tty
from array import array
from pathlib import Path
from types import SimpleNamespace

import pytest

from engram_host import api, virtual
from engram_host.cli import main
from hosts import BoardHost

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "standalone"
ON_BOARD = ("main.py", "features.py", "simulated.py", "sensor.py", "button.py")
SILENCE_S = 60  # a board that is silent for so long does not go on
LEAST = 12  # answers that a share is told of
LATER = "later.py"

# A board that waits for its power to be cut: when a window of the simulated world is due, or when
# it has learned and has not saved.
WAIT = """
def wait(*_):
    print("waiting")
    while True:
        pass
"""
AT_WINDOW = """
import simulated
fill = simulated.World.fill
def filled(world, window):
    if world._n == {}:
        wait()
    fill(world, window)
simulated.World.fill = filled
import main
"""
BEFORE_SAVING = """
import engram
real = engram.open
def opened(*args, **options):
    learner = real(*args, **options)
    learner.save = wait
    return learner
engram.open = opened
import main
"""


def load(name, monkeypatch):
    """A module of the example, on this computer."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("standalone_" + name, FOLDER / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def own_modules():
    """No module of the example stays for other tests."""
    before = set(sys.modules)
    yield
    for name in {"features", "simulated", "sensor", "button"} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def model(tmp_path, monkeypatch, capsys):
    """What make_model.py writes."""
    path = tmp_path / "model.safetensors"
    script = load("make_model", monkeypatch)
    monkeypatch.setattr(sys, "argv", ["make_model.py", "--out", str(path)])
    script.main()
    shares = [float(n) for n in re.findall(r"([\d.]+) % of the known", capsys.readouterr().out)]
    assert shares[0] >= 95 and shares[1] < 80, "the desk is easy, the field is not"
    return path


class Screen:
    """What a board prints, from its first character after power on."""

    def __init__(self, line):
        self.fd = os.open(line, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd, termios.TCSANOW)  # drops nothing
        self.rest, self.lines = b"", []

    def line(self):
        while b"\n" not in self.rest:
            assert select.select([self.fd], [], [], SILENCE_S)[0], self.lines[-5:]
            self.rest += os.read(self.fd, 4096)
        line, _, self.rest = self.rest.partition(b"\n")
        self.lines.append(line.decode().strip())
        return self.lines[-1]

    def until(self, start, times=1):
        """Lines up to the one that starts so, the last of so many."""
        seen = []
        while sum(line.startswith(start) for line in seen) < times:
            seen.append(self.line())
        return seen


class Field:
    """A board with the example in its file system, that nobody talks to.

    main.py has that name from off_at() on: a board that ran it before would be ahead of the test.
    """

    def __init__(self, name, state, model):
        self.host, self.screen = BoardHost(name, state), None
        self.host.start()
        for file in ON_BOARD:
            name = LATER if file == "main.py" else file
            self.host.transport.fs_writefile(name, (FOLDER / file).read_bytes())
        folder = self.host.exec("import engram_board; print(engram_board.FS_ROOT)").strip()
        self.host.transport.fs_writefile(folder + "/model.safetensors", model.read_bytes())
        self.off()

    def off(self):
        """Cuts the power."""
        if self.screen:
            os.close(self.screen.fd)
            self.screen = None
        if self.host.transport:
            self.host.transport.close()
            self.host.transport = None
        virtual.kill(self.host.name)

    def off_at(self, program):
        """Runs main.py until the board waits, as `program` says, and cuts the power then."""
        self.host.start()
        line = self.host.transport
        line.exec_raw_no_follow(f"import os\nos.rename({LATER!r}, 'main.py')" + WAIT + program)
        text = line.read_until(1, b"waiting", timeout=SILENCE_S).decode()
        self.off()
        return text.splitlines()

    def on(self):
        """Power comes back; whatever runs then runs by itself."""
        status = virtual.start(self.host.name, self.host.board.command)
        self.screen = Screen(status.tty)
        return self.screen


def share_right(lines):
    answers = [re.match(r"(\w+) \d+ %, is (\w+)", line) for line in lines]
    pairs = [match.groups() for match in answers if match]
    assert len(pairs) >= LEAST
    return sum(answer == truth for answer, truth in pairs) / len(pairs)


@pytest.mark.board
@pytest.mark.parametrize("name", ["unix", pytest.param("qemu_m4f", marks=pytest.mark.slow)])
def test_it_learns_from_the_button_and_goes_on_after_power_cuts(
    name, model, tmp_path, monkeypatch
):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    world = load("simulated", monkeypatch)
    field = Field(name, tmp_path / "state", model)
    try:
        text = field.off_at(AT_WINDOW.format(world.BEFORE + world.TAUGHT + 3))
        assert "opened: 0 windows stored, 0 of them not learned yet" in text
        assert share_right(text) <= 0.6
        assert [sum(line == f"stored: {s}" for line in text) for s in ("off", "steady")] == [8, 3]

        screen = field.on()
        template = "opened: %d windows stored, %d of them not learned yet"
        assert screen.until("opened")[-1] == template % (11, 11)
        screen.until("learned", 2)  # what was stored before the cut; then the two other states
        assert share_right(screen.until("off", 2 * world.ROUND)) >= 0.9
        field.off()

        screen = field.on()
        assert screen.until("opened")[-1] == template % (27, 0)
        assert share_right(screen.until("off", 2 * world.ROUND)) >= 0.9
        _computer_visits(field, 27, tmp_path / "samples.jsonl")

        field.off()
        screen = field.on()
        assert screen.until("opened")[-1] == template % (27, 16)
        assert screen.until("learned")[-1].endswith("saved as 2")
    finally:
        virtual.stop(name)


def _computer_visits(field, count, out):
    """It ends main.py by connecting, fetches what was stored, and undoes the last learning."""
    os.close(field.screen.fd)
    field.screen = None
    with api.connect(field.host.name) as device:
        device.need_open()
        assert device.store_info()["store"]["live"] == count
        api.store_dump(None, out, port=device)
        api.rollback(device, "previous")
    labels = [json.loads(line)["label"] for line in out.read_text().splitlines()]
    assert [labels.count(state) for state in range(4)] == [8, 3, 8, 8]


@pytest.mark.board
def test_a_cut_between_learning_and_saving_is_learned_again(model, tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "state"))
    field = Field("unix", tmp_path / "state", model)
    try:
        field.off_at(BEFORE_SAVING)
        line = field.on().until("opened")[-1]
        assert line == "opened: 32 windows stored, 32 of them not learned yet"
        assert field.screen.until("learned")[-1].endswith("saved as 1")
    finally:
        virtual.stop("unix")


# ---------------------------------------------------------------- sensors and button


class Adc:
    def __init__(self, value):
        self.value = value

    def read_u16(self):
        return self.value


class I2c:
    def __init__(self, raw):
        self.raw, self.written = raw, []

    def writeto_mem(self, *what):
        self.written.append(what)

    def readfrom_mem_into(self, address, register, buffer):
        assert (address, register) == (0x68, 0x3B)
        buffer[:] = self.raw


class Pin:
    IRQ_FALLING = 2

    def irq(self, handler, trigger):
        assert trigger == self.IRQ_FALLING
        self.press = lambda: handler(self)


@pytest.fixture
def clock(monkeypatch):
    """MicroPython's time, which passes when it is asked for."""
    now = SimpleNamespace(us=0)

    def ticks_us():
        now.us += 100
        return now.us

    clock = SimpleNamespace(
        ticks_us=ticks_us,
        ticks_ms=lambda: ticks_us() // 1000,
        ticks_add=lambda a, b: a + b,
        ticks_diff=lambda a, b: a - b,
        now=now,
    )
    monkeypatch.setitem(sys.modules, "time", clock)
    return clock


def test_an_analogue_sensor_is_asked_once_a_period(monkeypatch, clock):
    source = load("sensor", monkeypatch).Analog([Adc(32768), Adc(39321), Adc(0)])
    window = array("f", [0.0] * 192)
    source.fill(window)
    assert window[:3].tolist() == pytest.approx([0, 1, -5], abs=1e-3)
    assert window[:3] == window[-3:] and source.truth is None
    assert clock.now.us == pytest.approx(63 * 20_000, rel=0.02)


def test_an_imu_gives_signed_g(monkeypatch, clock):
    bus = I2c(bytes([0x40, 0, 0xC0, 0, 0xFF, 0xFF]))
    source = load("sensor", monkeypatch).Mpu6050(bus)
    assert bus.written == [(0x68, 0x6B, b"\x00")]
    assert source.read() == [1.0, -1.0, -1 / 16384]


def test_a_recording_begins_again_at_its_end(monkeypatch, tmp_path):
    import numpy as np

    path = tmp_path / "windows.npy"
    np.save(path, np.arange(2 * 192, dtype=np.float32).reshape(2, 64, 3))
    source = load("sensor", monkeypatch).Recorded(str(path))
    window, firsts = array("f", [0.0] * 192), []
    for _ in range(3):
        source.fill(window)
        firsts.append(window[0])
    assert firsts == [0.0, 192.0, 0.0]


def test_the_button_counts_presses_that_belong_together(monkeypatch, clock):
    pin = Pin()
    button = load("button", monkeypatch).Button(pin)
    for pause_ms in (1000, 10, 300):  # the second one is a bounce
        clock.now.us += 1000 * pause_ms
        pin.press()
    assert button.presses() == 0, "a third press may come"
    clock.now.us += 1_000_000
    assert button.presses() == 2
    assert button.presses() == 0


# ---------------------------------------------------------------- what is written about it


def lines():
    """The engram lines of the README and of docs/field.md, as arguments."""
    for path in (FOLDER / "README.md", ROOT / "docs" / "field.md"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = shlex.split(line, comments=True) if line.lstrip().startswith("engram ") else []
            if words:
                yield words[1:]


@pytest.mark.parametrize("words", list(lines()), ids=" ".join)
def test_every_line_is_one_that_the_command_takes(words):
    """Parsed as a shell would give it, not run."""
    context = main.make_context("engram", list(words), resilient_parsing=True)
    verb, rest = main.get_command(context, words[0]), words[1:]
    while hasattr(verb, "commands"):
        verb, rest = verb.commands[rest[0]], rest[1:]
    ours = (".safetensors", ".npz")  # in the place of files that the reader has
    verb.make_context(
        words[0], [str(FOLDER / "main.py") if word.endswith(ours) else word for word in rest]
    )


def test_the_readme_names_every_file_and_says_what_was_not_tried():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in ON_BOARD)
    assert "Not run on hardware" in text
    assert "Not run on hardware" in (ROOT / "docs" / "field.md").read_text(encoding="utf-8")
    assert "NOT RUN ON HARDWARE" in (FOLDER / "main.py").read_text(encoding="utf-8")


def test_the_readme_leads_to_the_field():
    assert "(docs/field.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
