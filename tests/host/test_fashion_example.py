"""examples/fashion: its lines say what the command knows, and a small run of them learns."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from engram_host import virtual
from engram_host.cli import main
from engram_host.datasets import DataUnavailable, fashion_mnist
from host.command import engram

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "fashion"
MODEL = ROOT / "examples" / "backbones" / "models" / "fashion.safetensors"


def lines():
    """The engram lines of the README, as arguments."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["engram"]:
                yield words[1:]


@pytest.mark.parametrize("words", list(lines()), ids=" ".join)
def test_every_line_is_one_that_the_command_takes(words):
    """Parsed as a shell would give it, not run."""
    context = main.make_context("engram", list(words), resilient_parsing=True)
    verb = main.get_command(context, words[0])
    rest = words[1:]
    while hasattr(verb, "commands"):
        verb, rest = verb.commands[rest[0]], rest[1:]
    parse = verb.make_context(words[0], list(rest))
    assert parse.params


@pytest.fixture
def files(tmp_path, monkeypatch):
    """train.npz and test.npz, made by the example's own script."""
    monkeypatch.setenv("ENGRAM_OFFLINE", "1")
    try:
        fashion_mnist()
    except DataUnavailable as e:
        pytest.skip(str(e))
    spec = importlib.util.spec_from_file_location("prepare", FOLDER / "prepare.py")
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    monkeypatch.setattr(sys, "argv", ["prepare.py", "--out", str(tmp_path)])
    prepare.main()
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path / "boards"))
    yield tmp_path
    virtual.stop("unix")


@pytest.mark.board
@pytest.mark.slow
def test_a_small_run_remembers(files):
    """A seventh of the samples: four bits and 200 kB keep what fine-tuning loses."""
    stream = ["--sessions", "0-4,5,6,7,8,9", "--known-first", "--per-class", 100]
    stream += ["--test", "test.npz", "--test-per-class", 30, "--epochs", 4, "--lr", 0.03]
    board = ["--port", "unix", "--json", "--fresh", "--bits", 4, "--budget", "200kB"]
    engram("build", "unix", cwd=files)
    engram("push", "model", MODEL, "--port", "unix", cwd=files)
    summaries = {}
    for name in ("replay", "finetune"):
        log = ["--strategy", name, "--log", f"{name}.jsonl"]
        summaries[name] = json.loads(
            engram("learn", "train.npz", *stream, *board, *log, cwd=files)
        )
    assert (
        summaries["replay"]["accuracy"] > 0.75 and summaries["replay"]["replay_bytes"] <= 200_000
    )
    assert summaries["finetune"]["accuracy"] < 0.3
    assert summaries["finetune"]["forgetting"] > summaries["replay"]["forgetting"] + 0.4
    engram("report", "replay.jsonl", "--out", "report", cwd=files)
    assert (files / "report" / "stream_matrix.png").exists()
