"""`engram import` as a user types it."""

import json
import sys

import pytest
from click.testing import CliRunner

from engram.errors import ModelError
from engram_host import api
from engram_host.cli import main
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
