"""`engram report` of a log of `engram score`."""

import json

import pytest

from engram_host import api
from engram_host.errors import InputError
from engram_host.learning.watching import alarmed

FACTS = {
    "board": "unix", "engine": "clusters", "window": 8, "rate": 0.001, "threshold": 5.0,
    "lower": 4.0, "how": "tail", "extrapolated": True, "means": 153, "held_out": True,
}  # fmt: skip
ADAPTED = {
    "sample": 30, "blocks": 1, "samples": [8], "rounds": 2, "steps": 200, "before": 0.5,
    "after": 0.25, "threshold_before": 5.0, "threshold": 6.0, "generation": None, "watch": FACTS,
}  # fmt: skip


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def readings(labels=True):
    for i in range(40):
        bad = 8 <= i < 16
        row = {"kind": "reading", "sample": i, "score": 1.0, "mean": 9.0 if bad else -1.0,
               "state": "alarm" if bad else "normal"}  # fmt: skip
        yield {**row, "label": 3 * bad} if labels else row


@pytest.mark.parametrize("labels", [True, False])
def test_the_page_shows_alarms_labels_and_what_was_learned(tmp_path, labels):
    rows = list(readings(labels))
    rows.insert(30, {"kind": "adapted", **ADAPTED})
    log = write(tmp_path / "day.jsonl", {"kind": "watch", **FACTS}, *rows,
                {"kind": "summary", "n": 40, "auc": 0.75})  # fmt: skip
    paths = api.report(log, tmp_path / "out")
    page = paths["report"].read_text()
    assert "alarm, samples 8 to 15" in page and "0.750" in page
    assert "threshold 6, from sample 30" in page and "threshold 5, from sample 0" in page
    assert "What was learned" in page and "0.5 → 0.25" in page
    assert ("label 3" in page) is labels
    assert [path.name for path in paths["pictures"]] == ["score.png"]


def test_a_log_that_was_cut_off_and_learned_nothing_has_a_page(tmp_path):
    log = write(tmp_path / "day.jsonl", {"kind": "watch", **FACTS}, *readings(False))
    page = api.report(log, tmp_path / "out")["report"].read_text()
    assert "1 alarms" not in page and "What was learned" not in page


@pytest.mark.parametrize(
    "records, words",
    [
        ([{"kind": "watch", **FACTS}], "1 with 0 samples"),
        ([{"kind": "watch", **FACTS}, *readings()] * 2, "2 with 80 samples"),
    ],
)
def test_a_log_that_is_not_of_one_watch_is_refused(tmp_path, records, words):
    log = write(tmp_path / "day.jsonl", *records)
    with pytest.raises(InputError, match=words):
        api.report(log, tmp_path / "out")


def test_logs_of_watches_and_of_learning_do_not_mix(tmp_path):
    log = write(tmp_path / "day.jsonl", {"kind": "watch", **FACTS}, *readings())
    other = write(tmp_path / "learn.jsonl", {"kind": "begin"})
    with pytest.raises(InputError, match="report it alone"):
        api.report([other, log], tmp_path / "out")


def test_a_sample_without_a_score_leaves_the_alarm():
    states = ["filling", "alarm", "unknown", "normal", "unknown"]
    assert alarmed(states).tolist() == [False, True, True, False, False]
