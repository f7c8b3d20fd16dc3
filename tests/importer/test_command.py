"""`engram import` as a user types it."""

import json
import sys

import pytest
from click.testing import CliRunner

from engram.errors import ModelError
from engram_host import api
from engram_host.cli import main
from engram_host.commands import import_model
from importer.test_import import classifier


@pytest.fixture
def run(tmp_path):
    (tmp_path / "net.tflite").write_bytes(classifier(branch=True))

    def run(*arguments):
        line = ["import", str(tmp_path / "net.tflite"), *arguments]
        return CliRunner().invoke(main, line, env={"COLUMNS": "120"})

    return run


def test_it_shows_layers_cuts_and_costs(run):
    result = run("--board", "qemu_m4f")
    assert result.exit_code == 0
    for text in (
        "conv2d_0", "8 x 8 x 6", "Places to cut, on qemu_m4f (model)",
        "not behind conv2d_1: add_2 above it reads conv2d_0 below it",
        "Give one of them as --cut, and -o FILE.",
    ):  # fmt: skip
        assert text in result.output


def test_it_says_what_a_sample_is_and_what_to_type_next(run, tmp_path):
    lines = run("--board", "qemu_m4f").output.splitlines()
    assert lines[0] == "net.tflite, int8; a sample is 8 x 8 x 3 of float32"
    assert "For example:" in lines[-2] or "For example:" in lines[-3]
    words = " ".join(lines[-2:]).replace("  ", " ")
    assert f"engram import {tmp_path}/net.tflite --cut flatten_4 -o net.safetensors" in words


@pytest.mark.parametrize(
    ("lacks", "shown", "words"),
    [
        (["RAM"] * 7 + ["", ""], [6, 7, 8], ["6 more below them", ""]),
        (["RAM"] * 9, [4, 5, 6, 7, 8], ["4 more below them", "None fits unix"]),
        (["", "flash", ""], [0, 1, 2], []),
    ],
)
def test_cuts_below_the_first_that_fits_are_left_out(lacks, shown, words):
    rows = [{"layer": i, "lacks": lack} for i, lack in enumerate(lacks)]
    kept = import_model._worth(rows)
    assert [row["layer"] for row in kept] == shown
    lines = import_model._hidden({"costs": rows, "board": "unix"}, kept)
    assert len(lines) == len([word for word in words if word])
    assert all(word in line for word, line in zip(words, lines))


def test_layers_of_a_branch_are_refused_in_one_line():
    reasons = ["", "add_3 above it reads a below it", "c above it reads a below it", "no kernel"]
    cuts = [{"layer": name, "reason": reason} for name, reason in zip("abcd", reasons)]
    assert [
        line.replace("[dim]", "").replace("[/]", "")
        for line in import_model._refused({"cuts": cuts})
    ] == ["not behind b, c: a layer above reads a below it", "not behind d: no kernel"]


def test_it_writes_a_model_and_says_which_layers_learn(run, tmp_path):
    out = tmp_path / "out.safetensors"
    result = run("--cut", "add_2", "-o", str(out))
    assert result.exit_code == 0 and out.is_file()
    assert "frozen" in result.output and "learns" in result.output and "goes" in result.output


def test_it_answers_in_json(run):
    report = json.loads(run("--json", "--board", "qemu_m4f").output)
    assert report["board"] == "qemu_m4f"
    assert [row["layer"] for row in report["costs"]] == [
        row["layer"] for row in report["cuts"] if not row["reason"]
    ]


def test_a_cut_and_a_file_belong_together(run):
    assert run("--cut", "add_2").exit_code == 2
    assert run("-o", "x").exit_code == 2


def test_a_cut_that_is_none_is_an_error_with_the_nearest(run, tmp_path):
    result = run("--cut", "conv2d_1", "-o", str(tmp_path / "x"))
    assert result.exit_code == 1
    assert "the nearest cut that works is" in result.stderr.replace("\n", " ")


def test_pytorch_that_is_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    path = tmp_path / "net.pt2"
    path.write_bytes(b"")
    result = CliRunner().invoke(main, ["import", str(path)])
    assert result.exit_code == 1 and "pip install 'engram[torch]'" in result.stderr
    with pytest.raises(ModelError, match="expected PyTorch, .* got no such package"):
        api.import_torch(object(), None)
