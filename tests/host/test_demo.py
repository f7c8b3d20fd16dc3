"""`engram demo` on the emulated board, and what it must show."""

import json

import pytest

from engram_host import demo

KEYS = """
accuracy_replay accuracy_finetune accuracy_joint forgetting accuracy_matrix ram_peak_bytes
ram_planned_bytes latent_bits replay_bytes instructions_per_step share_outside_kernels energy_mj
wall_s board micropython
""".split()


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    place = tmp_path_factory.mktemp("demo")
    demo.demo("qemu_m4f", out=place)
    return place


@pytest.fixture(scope="module")
def summary(out):
    return json.loads((out / "summary.json").read_text())


pytestmark = [pytest.mark.board, pytest.mark.slow]


def test_the_summary_is_complete(summary):
    assert [key for key in KEYS if summary.get(key) is None] == []
    assert summary["board"] == "qemu_m4f"
    assert len(summary["energy_mj"]) == 3
    assert all(value > 0 for value in summary["energy_mj"].values())


def test_replay_remembers_and_fine_tuning_forgets(summary):
    assert summary["accuracy_replay"] >= 0.90
    assert summary["accuracy_joint"] - summary["accuracy_replay"] <= 0.04
    assert summary["accuracy_finetune"] < 0.5


def test_the_planned_memory_is_what_was_used(summary):
    assert summary["ram_planned_bytes"] == pytest.approx(summary["ram_peak_bytes"], rel=0.01)


def test_the_report_is_whole(out):
    page = (out / "report.html").read_text()
    assert "</html>" in page and "http://" not in page.replace("http://www.w3.org", "")
    assert len(list(out.glob("*.png"))) >= 5
