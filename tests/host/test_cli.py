"""The command line: what it prints, what it exits with, what it says when something is wrong.

The board is the real agent and library on this computer, behind the supervisor's terminal.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engram_host import build, virtual
from engram_host.cli import VERBS
from host.command import run

HERE = Path(__file__).parent
SUBVERBS = [["push", "model"], ["push", "data"]]


def started(*args, **options):
    """The command as a process of its own, as a terminal starts it.

    A shell that starts the tests in the background makes all of them ignore Ctrl-C.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "engram_host", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The directory that is the board's file system."""
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def port(root):
    """The serial port of a board that runs for all tests of this file."""
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(HERE.parent)])
    argv = [sys.executable, str(HERE / "board_process.py"), str(root)]
    status = virtual.start("process", lambda flash: (argv, {"PYTHONPATH": path}))
    yield status.tty
    virtual.stop("process")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory: logs go below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fives(here, some):
    """A file of samples of a class that the model does not know."""
    samples = some([5], 40)
    np.savez(here / "fives.npz", x=samples.x, y=samples.y)
    return here / "fives.npz"


@pytest.fixture
def test_file(here, data):
    np.savez(here / "test.npz", x=data.x_test, y=data.y_test)
    return here / "test.npz"


# --- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [*([v] for v in VERBS), *SUBVERBS], ids=" ".join)
def test_every_verb_explains_itself(verb):
    """A sentence on what it does, an example that names it, a word on every option."""
    result = run(*verb, "--help")
    text = re.sub(r"[│╭╮╰╯─\s]+", " ", result.stdout)
    assert result.exit_code == 0 and f"Usage: engram {' '.join(verb)}" in text
    if verb != ["push"]:
        assert f"Example: engram {' '.join(verb)}" in text
        assert "--debug Show where an error was raised." in text
    for option in re.findall(r"^│ +(--[\w-]+)\s*│?$", result.stdout, re.M):
        pytest.fail(f"{option} has no help")


def test_the_list_of_verbs_says_what_each_is_for():
    text = run("--help").stdout
    for verb in VERBS:
        assert re.search(rf"│ {verb}\s+[A-Z]", text), verb


def test_version():
    assert re.fullmatch(r"engram, version \d+\.\d+\.\d+\n", run("--version").stdout)


# --- a session ----------------------------------------------------------------------------------


def test_a_session_from_the_command_line(port, here, model, fives, test_file):
    result = run("push", "model", model, "--port", port, "--lr", "0.03")
    assert result.exit_code == 0 and "✓ digits: 10 classes" in result.stdout
    assert "push model.safetensors" in result.stderr and "19.3/19.3 kB" in result.stderr

    before = json.loads(run("eval", test_file, "--port", port, "--json").stdout)
    assert before["n"] == 360 and before["right"][5] == 0

    result = run("learn", fives, "--port", port, "--epochs", "3", "--log", "l.jsonl", "--json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert summary["kind"] == "summary" and summary["log"] == "l.jsonl" and summary["steps"] > 0
    assert (
        "observe" in result.stderr and "samples/s" in result.stderr and "steps/s" in result.stderr
    )

    result = run("eval", "--port", port)
    assert re.search(r"5\s+\d+\.\d%\s+36", result.stdout) and re.search(
        r"all\s+\d+", result.stdout
    )
    after = json.loads(run("eval", "--port", port, "--json").stdout)
    assert after["right"][5] > 25

    result = run("predict", fives, "--port", port)
    assert re.match(r"(\d\t[01]\.\d{4}\n){40}$", result.stdout)

    result = json.loads(run("info", "--port", port, "--json").stdout)
    assert result["learner"]["session"] == 1 and result["flash"]["store"]["live"] == 40
    text = run("info", "--port", port).stdout
    assert "digits (model.safetensors)" in text and "40 of" in text and "generation 1" in text
    assert "strategy replay, at most" in text and "latents of 4 bits" in " ".join(text.split())

    text = run("log", "l.jsonl").stdout
    assert "fake, model.safetensors: 40 samples, 3 epochs, strategy replay" in text
    assert "phases of a step in us (host)" in text and "state 1 saved" in text
    assert len(re.findall(r"^ +\d+/\d+ ", text, re.M)) == summary["steps"]
    lines = run("log", "--json", "l.jsonl").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[0] == "begin" and kinds[-1] == "summary"
    result = run("report", "l.jsonl")
    assert result.exit_code == 0 and (here / "out/report/report.html").exists()

    assert run("reset", "--port", port, input="n\n").exit_code == 1
    assert run("reset", "--yes", "--port", port).exit_code == 0
    result = json.loads(run("info", "--port", port, "--json").stdout)
    assert result["learner"]["session"] == 0 and result["flash"]["store"]["live"] == 0


def test_a_stream_of_sessions_from_the_command_line(port, here, model, data, test_file):
    np.savez(here / "train.npz", x=data.x_train, y=data.y_train)
    run("push", "model", model, "--port", port, "--lr", "0.03")
    stream = ["--sessions", "0-4,5,6", "--known-first", "--per-class", "20", "--test", test_file]
    strategy = ["--strategy", "ewc", "--set", "lambda=10", "--budget", "9kB", "--policy", "ecbrs"]
    where = ["--test-per-class", "6", "--fresh", "--log", "l.jsonl", "--port", port, "--bits", "4"]
    result = run("learn", "train.npz", *stream, *strategy, *where)
    assert result.exit_code == 0, result.stderr
    text = result.stdout
    assert re.search(r"start +│ +\d+\.\d% +│ +0\.0% +│ +0\.0%", text)
    for words in ("average accuracy", "forgetting", "backward transfer", "latents of 4 bits"):
        assert words in " ".join(text.split())
    records = [json.loads(line) for line in (here / "l.jsonl").read_text().splitlines()]
    assert records[0]["learner"]["strategy"] == "ewc" and records[0]["protocol"] == "class"
    options = next(r for r in records if r["kind"] == "begin")["options"]
    assert options["strategy_options"] == {"lambda": 10} and options["budget_bytes"] == 9000
    assert options["policy"] == "ecbrs" and options["bits"] == 4
    assert records[-1]["replay_bytes"] <= 9000
    text = run("log", "l.jsonl").stdout
    assert "3 sessions (class-incremental): 0-4, 5, 6" in text and "forgetting: " in text
    assert run("report", "l.jsonl").exit_code == 0
    assert "stream_matrix.png" in os.listdir(here / "out" / "report")
    result = run("learn", "train.npz", *stream, "--json", "--strategy", "replay", *where)
    summary = json.loads(result.stdout)
    assert summary["kind"] == "metrics" and np.array(summary["matrix"]).shape == (3, 3)
    assert run("push", "model", model, "--port", port, "--bits", "8").exit_code == 1
    assert json.loads(run("info", "--port", port, "--json").stdout)["options"]["bits"] == 4
    assert run("reset", "--yes", "--port", port).exit_code == 0
    assert json.loads(run("info", "--port", port, "--json").stdout)["learner"]["bits"] == 4


def test_the_port_may_come_from_the_environment(port, monkeypatch):
    monkeypatch.setenv("ENGRAM_PORT", str(port))
    assert json.loads(run("info", "--json").stdout)["board"] == "fake"


def test_data_can_be_put_on_the_board(port, here, model, test_file):
    run("push", "model", model, "--port", port)
    result = run("push", "data", test_file, "--name", "digits", "--port", port)
    assert result.stdout == "✓ on the board as digits.x.npy, digits.y.npy\n"
    assert run("eval", "--name", "digits", "--port", port).exit_code == 0


def test_inputs_and_labels_may_be_two_files(port, here, model, data):
    np.save(here / "x.npy", data.x_test[:20])
    np.save(here / "y.npy", data.y_test[:20])
    run("push", "model", model, "--port", port)
    result = run("eval", "x.npy", "--labels", "y.npy", "--stream", "--json", "--port", port)
    assert json.loads(result.stdout)["n"] == 20


def test_convert_and_plan_need_no_board(here, data):
    np.savez(here / "train.npz", x=data.x_train[:300], y=data.y_train[:300])
    source = HERE.parents[1] / "examples" / "digits" / "digits_float.safetensors"
    result = run("convert", source, "--data", "train.npz", "--out", "d.safetensors")
    assert result.exit_code == 0 and "✓ d.safetensors" in result.stdout
    result = run("plan", "d.safetensors")
    assert result.exit_code == 0 and "peak RAM" in result.stdout and "(model)" in result.stdout
    result = json.loads(run("plan", "d.safetensors", "--json", "--batch", "8").stdout)
    assert result["batch"] == 8 and result["source"] == "model"


def test_boards_are_listed():
    report = json.loads(run("boards", "--json").stdout)
    assert {"unix", "qemu_m4f"} <= {row["name"] for row in report["boards"]}
    text = run("boards", "--no-ask").stdout
    for row in report["boards"]:  # names are there to be typed: none is cut, in 80 columns
        assert re.search(rf"^ {row['name']} ", text, re.M), row["name"]
    assert "not run on hardware" in text


# --- the REPL -----------------------------------------------------------------------------------


def test_lines_can_be_piped_to_the_repl():
    """Whole statements go one by one, a block as one."""
    from engram_host.line.console import statements

    lines = "x = 1\nfor i in range(2):\n    print(i)\n\n\n"
    lines += "print('''a\n\nb''')\nif x:\n    y = (1,\n"
    assert list(statements(lines.splitlines(True))) == [
        "x = 1",
        "for i in range(2):\n    print(i)\n",
        "print('''a\n\nb''')",
        "if x:\n    y = (1,",
    ]


# --- wrong usage and other errors ---------------------------------------------------------------

NO_TRACEBACK = re.compile(r"^(?!.*Traceback).*$", re.S)


def failed(result, code, *words):
    """It ended so, told so on stderr, and showed no traceback."""
    text = " ".join(result.stderr.split())
    assert result.exit_code == code, text
    assert not result.stdout.strip() and "Traceback" not in text
    for word in words:
        assert word in text, text


def test_an_unknown_verb_or_option_is_wrong_usage():
    failed(run("dance"), 2, "No such command 'dance'")
    failed(run("learn"), 2, "Missing argument 'DATA'")
    failed(run("learn", "x.npz", "--colour", "red"), 2, "No such option '--colour'")
    failed(run("learn", "x.npz", "--strategy", "magic"), 2, "'finetune'", "'replay'", "'ewc'")
    failed(run("learn", "x.npz", "--policy", "magic"), 2, "'balanced'", "'herding'")
    failed(run("learn", "x.npz", "--bits", "2"), 2, "2 is not in the range 3<=x<=8")
    pattern = "expected a budget in latents (500) or bytes of"
    failed(run("learn", "x.npz", "--budget", "lots"), 2, pattern, "flash (200kB", "got 'lots'")
    failed(run("learn", "x.npz", "--set", "lambda"), 2, "a strategy's option as name=number, got")
    words = "expected a range that goes up", "'4-0'; write 0-4"
    failed(run("learn", "x.npz", "--sessions", "4-0"), 2, *words)
    failed(run("learn", "x.npz", "--test", "y.npz"), 2, "--test belongs to a stream of sessions")
    failed(run("learn", "x.npz", "--epochs", "many"), 2, "'many' is not a valid integer")


def test_no_port_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv("ENGRAM_PORT", raising=False)
    failed(run("info"), 1, "expected a port, got none; use --port (or ENGRAM_PORT)", "as qemu_")


def test_a_port_that_is_not_there_is_told():
    failed(
        run("info", "--port", "/dev/tty-nothing"),
        1,
        "got '/dev/tty-nothing', which cannot be opened (No such file or directory)",
        "`engram boards` lists",
    )
    failed(run("info", "--port", "socket://localhost:1"), 1, "cannot be opened", "refused")
    failed(run("info", "--port", "qemu-m4f"), 1, "cannot be opened")


def test_a_real_board_must_be_said_where_it_is(tmp_path, monkeypatch):
    board = HERE.parents[1] / "boards" / "qemu_m4f" / "board.toml"
    facts = board.read_text().replace('name = "qemu_m4f"', 'name = "chip"')
    facts = re.sub(r"^\[virtual\].*?^\[", "[", facts, flags=re.S | re.M)
    (tmp_path / "boards" / "chip").mkdir(parents=True)
    (tmp_path / "boards" / "chip" / "board.toml").write_text(facts)
    monkeypatch.setenv("ENGRAM_HOME", str(tmp_path))
    failed(run("info", "--port", "chip"), 1, "chip is a real board: say where it is connected")
    failed(run("start", "chip"), 1, "board chip: expected a virtual board, got a real chip")


def test_files_that_are_not_there_are_told(port, here):
    words = "none.npz: expected an .npz, .npy or", ".csv file of samples", "got no file"
    failed(run("learn", "none.npz", "--port", port), 1, *words)
    words = "none: expected a device", "model", "no file"
    failed(run("push", "model", "none", "--port", port), 1, *words)
    failed(run("log"), 1, "expected a log in out/log, as none was given, got none")
    failed(run("log", "none"), 1, "none: expected a log of `engram learn`, got no file")
    failed(run("report", "none.json"), 1, "none.json: expected the result.json of a run")
    failed(run("plan", "none.safetensors"), 1, "none.safetensors: expected a", "got no file")
    words = "none.img: expected a", "flash", "got no file"
    failed(run("start", "unix", "--flash", "none.img"), 1, *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello\nworld\n", "log.txt:1: expected a JSON object with a"),
        (b"hello", "\"kind\", got 'hello'; give a log of"),
        (b"", "got an empty file; give a log"),
        (b"\x93NUMPY\xff\xfe\x00", "expected a JSON object"),
        (b'{"step": 1}\n', "expected a JSON object"),
    ],
)
def test_a_file_that_is_no_log_is_refused(here, content, words):
    (here / "log.txt").write_bytes(content)
    failed(run("log", "log.txt"), 1, words)


def test_a_log_that_is_being_written_is_shown(here):
    (here / "log.txt").write_text('{"kind": "a"}\n{"kind": "ste')
    result = run("log", "log.txt", "--json")
    assert result.exit_code == 0 and result.stdout == '{"kind": "a"}\n'


@pytest.mark.parametrize("words", [("log", "long.jsonl"), ("log", "long.jsonl", "--json")])
def test_a_reader_that_leaves_ends_a_verb_in_silence(here, words):
    """As `| head -1` does."""
    (here / "long.jsonl").write_text('{"kind": "other"}\n' * 50_000)
    command = [sys.executable, "-m", "engram_host", *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=here)
    assert b"other" in child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b"" and child.wait(60) == 1
    child.stderr.close()


def test_an_error_on_the_board_is_told(port, here, model, fives):
    run("push", "model", model, "--port", port)
    failed(run("eval", "--name", "none", "--port", port), 1, "no file 'none.x.npy'; push it first")
    wrong = here / "wrong.npz"
    np.savez(wrong, x=np.zeros((2, 10), np.uint8), y=np.array([1, 2]))
    pattern = "expected samples of 64 uint8, as the model takes them, got samples of 10 uint8"
    failed(run("learn", wrong, "--port", port), 1, pattern)


def test_an_unknown_board_is_told():
    failed(run("start", "nano"), 1, "expected a board of", "; got 'nano'")
    failed(run("build", "nano"), 1, "expected a board of", "; got 'nano'")


@pytest.mark.parametrize("words", ["unix --stock", "unix_stock --stock", "unix_stock"])
def test_stock_firmware_is_named_as_its_board(words, monkeypatch):
    names = []

    def make(board, *args, **options):
        names.append(board.name)
        return board.artefact

    monkeypatch.setattr(build, "build", make)
    report = json.loads(run("build", *words.split(), "--json").stdout)
    assert names == ["unix_stock"] == [report["board"]]
    assert Path(report["firmware"]).parent.name == "unix_stock"


def test_what_cannot_be_built_so_is_told():
    failed(run("build", "rpi_pico", "--stock"), 1, "MicroPython's own release")
    failed(run("build", "qemu_m4f", "--dry-run"), 1, "virtual board: `engram build qemu_m4f`")


def test_debug_shows_where_an_error_came_from(here):
    result = run("log", "none", "--debug")
    assert result.exit_code == 1 and "Traceback" in result.stderr


def test_an_error_that_nobody_foresaw_is_told_in_words(monkeypatch):
    from engram_host import api

    def broken():
        raise KeyError("what")

    monkeypatch.setattr(api, "boards", broken)
    failed(run("boards"), 1, "KeyError: 'what'; this is a fault of Engram", "--debug")


# --- Ctrl-C -------------------------------------------------------------------------------------


def steps_in(path):
    return path.read_text().count('"kind": "step"') if path.exists() else 0


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_ctrl_c_stops_learning_and_leaves_the_board_usable(port, here, model, fives):
    run("push", "model", model, "--port", port)
    path = here / "l.jsonl"
    child = started("learn", fives, "--epochs", 1000, "--port", port, "--log", path)
    wait_for(lambda: steps_in(path) > 5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130 and not out and "Traceback" not in err
    assert re.search(r"stopped after step \d+; the board is ready", " ".join(err.split()))
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[-1]["kind"] == "summary" and records[-1]["stopped"]
    assert records[-1]["steps"] == steps_in(path)
    result = run("learn", fives, "--port", port)
    assert result.exit_code == 0, result.stderr


def test_ctrl_c_in_a_transfer_leaves_it_to_be_resumed(port, root, here):
    big = here / "big.npz"
    rng, rows = np.random.default_rng(1), 90000
    np.savez(big, x=rng.integers(0, 255, (rows, 64), np.uint8), y=np.zeros(rows, np.uint8))
    child = started("push", "data", big, "--name", "big", "--port", port)
    part = root / "big.x.npy.part"
    wait_for(lambda: part.exists() and part.stat().st_size)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130 and not out and "Traceback" not in err, err
    facts = json.loads(run("info", "--port", port, "--json").stdout)
    size = facts["files"]["big.x.npy.part"]
    assert 0 < size < rows * 64
    assert "big.x.npy" not in facts["files"]
    assert run("push", "data", big, "--name", "big", "--port", port).exit_code == 0
    assert (root / "big.x.npy").stat().st_size > rows * 64
