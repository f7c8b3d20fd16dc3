"""Which class is taken for which: counts, scores per class, and the names they are shown by."""

import io
import json
import os
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import engram
from engram.nn.model import ModelSpec
from engram_host import api, samples, virtual
from engram_host.commands.scores_table import scores_table
from engram_host.convert import convert, model_file
from engram_host.errors import InputError
from engram_host.learning import scores
from engram_host.samples import names
from host import regression_model
from host.command import run

HERE = Path(__file__).parent

DIGITS = "zero one two three four five six seven eight nine".split()


# ---- counts and scores --------------------------------------------------------------------------


def test_scores_of_a_case_worked_out_by_hand():
    labels = [0, 0, 0, 0, 1, 1, 3]
    answers = [0, 0, 0, 1, 1, 0, 1]
    counts = scores.confusion(labels, answers, 4)
    assert counts.tolist() == [[3, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    figures = scores.per_class(counts)
    assert figures["recall"] == [3 / 4, 1 / 2, None, 0]
    assert figures["precision"] == [3 / 4, 1 / 3, None, None]
    assert figures["f1"] == [3 / 4, 2 / 5, None, 0]
    assert figures["macro_recall"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert figures["macro_f1"] == pytest.approx((3 / 4 + 2 / 5 + 0) / 3)
    assert scores.largest(counts, 2) == [(0, 1, 1), (1, 0, 1)]
    assert len(scores.largest(counts, 10)) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60))
def test_scores_are_what_their_definitions_say(pairs):
    labels, answers = [a for a, _ in pairs], [b for _, b in pairs]
    counts = scores.confusion(labels, answers, 6)
    assert counts.sum() == len(pairs)
    figures = scores.per_class(counts)
    for c in range(6):
        right = sum(a == b == c for a, b in pairs)
        recall = right / labels.count(c) if c in labels else None
        precision = right / answers.count(c) if c in answers else None
        assert (figures["recall"][c], figures["precision"][c]) == (recall, precision)
        if recall and precision:
            assert figures["f1"][c] == pytest.approx(2 / (1 / recall + 1 / precision))
    accuracy = sum(a == b for a, b in pairs) / max(1, len(pairs))
    known = [figures["recall"][c] for c in set(labels)]
    assert figures["macro_recall"] == (pytest.approx(sum(known) / len(known)) if known else None)
    assert counts.trace() == pytest.approx(accuracy * len(pairs))


# ---- on a board ---------------------------------------------------------------------------------


def test_a_board_tells_what_is_taken_for_what(device, model, data):
    """By files on the board, sent again or not, and streamed: of more samples than an answer of
    the board has room for."""
    api.push_model(device, model)
    test = samples.make(data.x_test, data.y_test)
    result = api.eval(device, test)
    assert np.array(result["confusion"]).shape == (10, 10)
    assert np.array(result["confusion"]).sum(axis=1).tolist() == [36] * 10 == result["total"]
    assert np.diag(result["confusion"]).tolist() == result["right"]
    assert result["recall"][0] > 0.9 and result["recall"][9] == 0  # it knows 0 to 4
    assert result["macro_recall"] == pytest.approx(result["accuracy"])  # as many of each
    assert api.eval(device) == result == api.eval(device, test, stream=True)
    answers = np.array([label for label, _ in api.predict(device, test)])
    assert result["confusion"] == scores.confusion(data.y_test, answers, 10).tolist()


def test_classes_beside_values_are_counted_too(device, tmp_path):
    path = regression_model.write(tmp_path / "m", "classes", "place")
    api.push_model(device, path)
    some = regression_model.some(40, "classes", "place")
    result = api.eval(device, some)
    assert np.array(result["confusion"]).sum() == 40 and "mse" in result["place"]
    by_stream = api.eval(device, some, stream=True)
    assert by_stream["confusion"] == result["confusion"]


def test_a_regression_has_no_confusion(device, tmp_path):
    api.push_model(device, regression_model.write(tmp_path / "m", "size"))
    assert set(api.eval(device, regression_model.some(9, "size"))) == {"n", "mse", "mae"}


# ---- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a\n\nb\n", "expected a name per line, got none in line 2"),
        ("a\nb\na\n", "expected names that differ, got 'a' 2 times"),
        ("", "expected 1 to 254 names, got 0"),
    ],
)
def test_names_that_are_none_are_refused(tmp_path, content, words):
    (tmp_path / "names.txt").write_text(content)
    with pytest.raises(InputError, match=words):
        names.read(tmp_path / "names.txt")
    with pytest.raises(InputError, match="a name per line, got no file"):
        names.read(tmp_path / "none.txt")


def test_names_are_in_the_model_file(tmp_path, model):
    """In its metadata: the tensors stay, and with them what the board has learned and stored."""
    data = model_file.with_metadata(model.read_bytes(), class_names="\n".join(DIGITS))
    (tmp_path / "named").write_bytes(data)
    tensors, metadata = model_file.read(tmp_path / "named")
    assert metadata["class_names"].split("\n") == DIGITS
    before, _ = model_file.read(model)
    assert all(np.array_equal(tensors[name], before[name]) for name in before)
    one, two = ModelSpec(io.BytesIO(data)), ModelSpec(io.BytesIO(model.read_bytes()))
    assert (one.latent_id, one.model_id) == (two.latent_id, two.model_id)
    assert one.class_names.split("\n") == DIGITS and two.class_names == ""
    assert struct.unpack_from("<Q", data)[0] % 8 == 0


def test_convert_names_the_classes(tmp_path, data):
    from engram_host import boards

    source = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    convert(source, data.x_train[:99], tmp_path / "d", class_names=DIGITS)
    assert model_file.read(tmp_path / "d")[1]["class_names"].split("\n") == DIGITS
    with pytest.raises(InputError, match="expected 10 class names, .* got 3"):
        convert(source, data.x_train[:99], tmp_path / "e", class_names=DIGITS[:3])
    assert not (tmp_path / "e").exists()


def test_the_names_of_a_board_are_those_of_its_model(device, model, data):
    api.push_model(device, model)
    assert api.class_names(device) == []
    api.push_model(device, model, class_names=DIGITS)
    assert api.class_names(device) == DIGITS
    some = samples.make(data.x_test[:20], data.y_test[:20])
    assert api.eval(device, some)["class_names"] == DIGITS
    assert api.eval(device, some, class_names=list("abcdefghij"))["class_names"][0] == "a"
    with pytest.raises(InputError, match="expected 10 class names, one per class .*, got 2"):
        api.push_model(device, model, class_names=["a", "b"])


def test_a_program_shows_the_names(tmp_path, model):
    data = model_file.with_metadata(model.read_bytes(), class_names="\n".join(DIGITS))
    (tmp_path / "m.safetensors").write_bytes(data)
    learner = engram.load(str(tmp_path / "m.safetensors"))
    assert learner.class_name(7) == "seven" and learner.class_name(12) == "12"
    assert "classes zero, one, two" in repr(learner)


def test_a_log_has_the_classes_and_their_names(device, model, some):
    api.push_model(device, model, class_names=DIGITS)
    result = api.learn(device, some([5, 7], 9))
    records = list(api.log(result.log))
    assert records[0]["classes"] == {"5": 9, "7": 9} == result.summary["classes"]
    assert records[0]["class_names"] == DIGITS
    page = api.report(result.log, result.log.parent / "report")["report"].read_text()
    assert "five, seven" in page


# ---- on the command line ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The serial port of a board in a process of its own."""
    root = tmp_path_factory.mktemp("board")
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(HERE.parent)])
    argv = [sys.executable, str(HERE / "board_process.py"), str(root)]
    status = virtual.start("scores", lambda flash: (argv, {"PYTHONPATH": path}))
    yield status.tty
    virtual.stop("scores")


@pytest.fixture
def here(tmp_path, monkeypatch, data, some):
    """The current directory, with samples to test on, and some of a class that is new."""
    monkeypatch.chdir(tmp_path)
    np.savez("test.npz", x=data.x_test, y=data.y_test)
    np.savez("fives.npz", x=some([5], 40).x, y=some([5], 40).y)
    return tmp_path


def refused(result, words):
    assert result.exit_code == 2 and words in " ".join(result.stderr.replace("│", "").split())


def test_eval_shows_scores_and_confusions_by_name(port, here, model):
    digits = "zero one two three four five six seven eight nine".split()
    (here / "names.txt").write_text("\n".join(digits) + "\n")
    pushed = run("push", "model", model, "--classes", "names.txt", "--port", port)
    assert pushed.exit_code == 0, pushed.stderr
    text = run("eval", "test.npz", "--port", port).stdout
    for words in (
        "class",
        "recall",
        "precision",
        "F1",
        "macro",
        "4 four",
        "confusion: a",
    ):
        assert words in text
    row = next(line for line in text.splitlines() if re.match(" 0 zero.*·", line))
    result = json.loads(run("eval", "--port", port, "--json").stdout)
    cells = [0 if cell == "·" else int(cell) for cell in row.split()[2:]]
    assert cells == result["confusion"][0] and result["class_names"] == digits
    assert {"recall", "precision", "f1", "macro_recall", "macro_f1"} <= result.keys()
    (here / "letters.txt").write_text("\n".join("abcdefghij"))
    for option in ("--classes", "--class-names"):
        text = run("eval", option, "letters.txt", "--port", port).stdout
        assert "4 e" in text and "four" not in text
    np.save(here / "x.npy", np.load("test.npz")["x"][:2])
    lines = run("predict", "x.npy", "--port", port).stdout.splitlines()
    assert len(lines) == 2 and lines[0].split("\t")[1] in digits
    assert (
        json.loads(run("predict", "x.npy", "--port", port, "--json").stdout)[0]["name"] in digits
    )


def test_learn_and_log_show_names(port, here, model):
    (here / "names.txt").write_text("\n".join("abcdefghij"))
    words_of_push = ("push", "model", model, "--class-names", "names.txt", "--port", port)
    assert run(*words_of_push).exit_code == 0
    assert re.search(r"classes +5 f \(40\)", run("learn", "fives.npz", "--port", port).stdout)
    assert "classes: 5 f (40)" in run("log").stdout
    result = run("learn", "fives.npz", "--classes", "1", "--port", port)
    refused(result, "1 is not in the range 2<=x<=254")
    refused(run("learn", "fives.npz", "--classes", "none.txt", "--port", port), "got no file")


def test_many_classes_show_their_most_frequent_confusions():
    """A matrix of more than 16 classes fits no line."""
    counts = np.diag([5] * 20)
    counts[3, 17], counts[18, 2] = 4, 3
    total = counts.sum(axis=1).tolist()
    result = {"n": 107, "accuracy": 100 / 107, "total": total, "right": [5] * 20}
    result |= {"confusion": counts.tolist(), "class_names": [], **scores.per_class(counts)}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(scores_table(result))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert lines[-2:] == [["3", "17", "4"], ["18", "2", "3"]]
    assert ["class", "taken", "for", "samples"] in lines
