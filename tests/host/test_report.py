"""The report: its figures, its page, its pictures, its words in the terminal."""

import copy
import io
import json
import re
from html.parser import HTMLParser

import pytest
from demo_result import CHIPS, GROUPS, demo_result
from PIL import Image
from rich.console import Console

from engram_host import report
from engram_host.errors import InputError
from engram_host.planning.energy import estimate_instructions
from engram_host.report import summary as figures
from engram_host.report.__main__ import main
from engram_host.report.demo_page import demo_page, draw
from engram_host.report.figures.accuracy import seen_picture
from engram_host.report.figures.energy import readable_energy, readable_time
from engram_host.report.figures.learning import smoothed
from engram_host.report.figures.render import inline_svg
from engram_host.report.figures.style import COLOURS
from engram_host.report.page import render

SOURCES = {"device", "icount", "cycles", "model", "host"}
# What a run promises to hand on; others may be added.
KEYS = """accuracy_replay accuracy_finetune accuracy_joint forgetting accuracy_matrix
ram_peak_bytes ram_planned_bytes latent_bits replay_bytes instructions_per_step
share_outside_kernels energy_mj wall_s board micropython""".split()


@pytest.fixture(scope="module")
def result():
    return demo_result()


@pytest.fixture(scope="module")
def written(tmp_path_factory, result):
    out = tmp_path_factory.mktemp("report")
    return report.write_report(result, out, CHIPS)


@pytest.fixture(scope="module")
def page(written):
    return written["report"].read_text()


# ---------------------------------------------------------------- figures


def evaluation(right):
    return {"n": 100, "correct": sum(right), "total": [10] * 10, "right": right}


def run_of(*rights, groups=GROUPS):
    sessions = [
        {"classes": group, "observed": 1, "steps": [], "evaluation": evaluation(right)}
        for group, right in zip(groups, rights)
    ]
    return {"strategy": "replay", "sessions": sessions}


def test_the_matrix_has_a_row_a_session_and_a_column_a_group():
    run = run_of([9] * 5 + [0] * 5, [8, 8, 8, 8, 3, 10, 1, 0, 0, 0], groups=GROUPS[:2])
    assert figures.accuracy_matrix(run) == [[0.9, 0.0], [0.7, 1.0]]


def test_accuracy_seen_leaves_out_classes_that_come_later():
    run = run_of([9] * 5 + [10] * 5, [6] * 6 + [0] * 4, groups=GROUPS[:2])
    assert figures.accuracy_seen(run) == [0.9, 0.6]


def test_groups_without_test_samples_have_no_accuracy():
    assert figures.accuracy_on({"n": 0, "correct": 0, "total": [0], "right": [0]}, [0]) is None


def test_the_summary_holds_what_a_run_promises(result):
    summary = figures.summarise(result, CHIPS)
    assert set(KEYS) <= set(summary)
    assert set(summary["sources"].values()) <= SOURCES
    names = {key for key, value in summary.items() if isinstance(value, (int, float))}
    assert names - {"steps", "latent_bits", "forgetting_finetune"} <= set(summary["sources"])
    last = result["replay"]["sessions"][-1]["evaluation"]
    assert summary["accuracy_replay"] == last["correct"] / last["n"]
    assert summary["accuracy_finetune"] < 0.2 < 0.9 < summary["accuracy_replay"]
    assert summary["forgetting"] < 0.1 < 0.8 < summary["forgetting_finetune"]
    assert list(summary["energy_mj"]) == ["nano", "nucleo", "teensy"]


def test_energy_is_that_of_all_that_was_counted(result):
    units = 0
    for session in result["replay"]["sessions"]:
        units += session["observe_total"] + session["save_total"]
        units += sum(sum(step["phases"].values()) for step in session["steps"])
    assert figures.learning_instructions(result) == (units, "icount")
    mj = figures.summarise(result, CHIPS)["energy_mj"]["nano"]
    assert mj == pytest.approx(units * 1.25 / 64e6 * 19.8)


def test_a_count_without_fpu_gives_no_energy_on_chips_with_one(result):
    """The same learning costs a multiple of the instructions where every float is a call."""
    soft = copy.deepcopy(result) | {"board": "qemu_m3"}
    summary = figures.summarise(soft, CHIPS)
    assert summary["energy_mj"] == summary["time_ms"] == {}
    assert list(summary["energy_left_out"]) == ["nano", "nucleo", "teensy"]
    assert "cortex-m3 (armv7m, no FPU)" in summary["energy_left_out"]["nano"]
    text = page_of(soft, CHIPS)
    assert "Energy on real chips" not in text and "all sessions on an" not in text
    assert "Chips without a figure for energy" in text and "cortex-m3 (armv7m, no FPU)" in text
    console = Console(file=io.StringIO(), width=130)
    console.print(report.summary_table(summary))
    assert console.file.getvalue().count("no figure: other code") == 3
    assert figures.summarise(result, CHIPS)["energy_left_out"] == {}
    unknown = figures.summarise(soft | {"board": "somebody's own"}, CHIPS)
    assert unknown["energy_mj"] == {} and "not known" in unknown["energy_left_out"]["nano"]


def test_a_chip_of_other_code_shows_its_assumption(result, page):
    assert "i.MX RT1062: assumption: runs the Cortex-M4F" in page.replace("&#39;", "'")


def clocked(result):
    """The same run on a board that measures in µs and does not look into its kernels."""
    other = copy.deepcopy(result)
    other.update(counter_kind="host", counter_unit="us")
    for session in other["replay"]["sessions"]:
        for step in session["steps"]:
            step["outside"] = step["total"]
    return other


def test_a_board_that_counts_no_instructions_has_an_estimate(result):
    summary = figures.summarise(clocked(result), CHIPS)
    assert summary["instructions_per_step"] is None
    assert summary["us_per_step"] == pytest.approx(2_180_000, rel=0.01)
    assert summary["share_outside_kernels"] is None
    instructions, source = figures.learning_instructions(clocked(result))
    model, steps = result["model"], summary["steps"]
    assert source == "model"
    assert instructions == estimate_instructions(
        900 * model["macs_observe"], steps * model["macs_step"]
    )


def counted_in_cycles(result):
    """The same run on the emulated Pico: 125 million cycles are a second."""
    other = copy.deepcopy(result)
    other.update(board="virtual_pico", counter_kind="cycles", counter_unit="cycles")
    return other


def test_cycles_are_time_at_the_frequency_of_the_chip(result):
    summary = figures.summarise(counted_in_cycles(result), CHIPS)
    per_step, phases = summary["cycles_per_step"], summary["phases"]
    assert summary["us_per_step"] == round(per_step / 125)
    assert summary["sessions_us"] == round(sum(phases.values()) / 125)
    assert summary["sources"]["sessions_us"] == "cycles"
    assert summary["instructions_per_step"] is None
    content = figures.summarise(result, CHIPS)
    assert content["us_per_step"] is content["sessions_us"] is None
    unknown = figures.summarise(counted_in_cycles(result) | {"board": "somebody's own"}, CHIPS)
    assert unknown["us_per_step"] is None


def test_the_page_of_cycles_says_the_frequency(result):
    run = counted_in_cycles(result)
    text = page_of(run, CHIPS)
    summary = figures.summarise(run, CHIPS)
    together = readable_time(summary["sessions_us"] / 1000)
    assert "a training step at 125 MHz" in text
    assert f"All of them together: {together} at 125 MHz." in text
    last = figures.phase_totals(run["replay"]["sessions"][-1])
    seconds = readable_time(sum(last.values()) / 125e3)
    assert re.search(f"together at 125 MHz.*{seconds}", text, re.DOTALL)
    assert " MHz" not in page_of(result, CHIPS)


def test_smoothing_starts_at_the_first_value():
    assert smoothed([3.0, 3.0, 3.0]) == pytest.approx([3, 3, 3])
    assert smoothed([4.0, 0.0])[0] == pytest.approx(4)
    assert 0 < smoothed([4.0, 0.0])[1] < 4


@pytest.mark.parametrize(
    ("ms", "mj", "time", "energy"),
    [
        (0.5, 0.25, "0.5 ms", "0.25 mJ"),
        (4200, 4200, "4.2 s", "4.2 J"),
        (90_000, 999, "1.5 min", "999 mJ"),
    ],
)
def test_figures_are_shown_in_a_fitting_unit(ms, mj, time, energy):
    assert (readable_time(ms), readable_energy(mj)) == (time, energy)


def test_group_names():
    names = [figures.group_name(group) for group in ([0, 1, 2], [7], [1, 4])]
    assert names == ["0–2", "7", "1, 4"]


# ---------------------------------------------------------------- the page


class Structure(HTMLParser):
    """Collects ids, texts and links, and checks that every element is closed."""

    VOID = {"meta", "link", "br", "img", "hr", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.addresses, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "action", "data"):
                self.addresses.append(value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def structure(page):
    tree = Structure()
    tree.feed(page)
    tree.close()
    return tree


def test_the_page_is_whole_and_needs_nothing_else(page):
    """It is opened from a disk, on a train: no script, no font, no picture from elsewhere."""
    tree = structure(page)
    assert tree.open == []
    assert len(tree.ids) == len(set(tree.ids)) > 100
    assert {"script", "link", "img"} & tree.tags == set()
    known = {f"#{name}" for name in tree.ids}
    assert set(tree.addresses) <= known
    assert set(re.findall(r"url\((#[^)]*)\)", page)) <= known
    assert re.findall(r"@import|url\((?!#)", page) == []


def test_the_page_follows_the_readers_theme(page):
    assert "prefers-color-scheme: dark" in page and 'name="viewport"' in page
    for role, (light, dark) in COLOURS.items():
        assert f"--{role}: {light};" in page and f"--{role}: {dark};" in page
    assert re.findall(r"(?:fill|stroke): #\w+", page) == []  # every colour is a variable


def test_the_page_shows_the_figures(page, result):
    summary = figures.summarise(result, CHIPS)
    for figure in (
        f"{summary['accuracy_replay']:.1%}",
        f"{summary['accuracy_joint']:.1%}",
        f"{result['ram']['planned_bytes']:,} bytes",
        f"{result['flash']['programmed_bytes']:,} bytes",
        readable_energy(summary["energy_mj"]["teensy"]),
        "3.4% of a training step",
        "<title>replay, after + 7: 93.1%</title>",
    ):
        assert figure in page
    for source in ("icount", "model", "host"):
        assert f'<span class="source">{source}</span>' in page
    assert '<span class="source">device</span>' not in page  # nothing ran on silicon


def test_every_card_names_the_source_of_its_figures(page):
    cards = re.findall(r"<article.*?</h2>", page, re.S)
    assert len(cards) == 8
    for card in cards:
        assert 'class="source"' in card, card


def page_of(result, chips):
    """The page alone, without its files."""
    summary, costs = figures.summarise(result, chips), figures.chip_costs(result, chips)
    return render(demo_page(result, summary, costs, draw(result, costs)))


def test_text_from_a_run_is_escaped(result):
    other_result = {**result, "title": "<script>alert(1)</script>", "board": 'a"<b>'}
    page = page_of(other_result, CHIPS)
    assert "<script>" not in page and "a&#34;&lt;b&gt;" in page
    structure(page)


def test_a_page_of_less(result):
    """No chip, no map of the arena, other seeds, a clock: the page leaves out or changes cards."""
    other = clocked(result)
    del other["ram"]["rows"]
    seed = {"accuracy_replay": 0.95, "accuracy_finetune": 0.1, "accuracy_joint": 0.97}
    other["seeds"] = [
        {"seed": 1, "forgetting": 0.02, **seed},
        {"seed": 2, "forgetting": 0.04, **seed},
    ]
    page = page_of(other, [])
    assert "Energy on real chips" not in page and "Repeated with other seeds" in page
    assert "<td>mean</td><td>95.0%</td><td>10.0%</td><td>97.0%</td><td>3.0%</td>" in page
    structure(page)


# ---------------------------------------------------------------- files


def test_pictures_are_there_and_light(written):
    names = {path.stem for path in written["pictures"]}
    assert names == {"accuracy", "matrix", "loss", "phases", "ram", "flash", "energy"}
    for path in written["pictures"]:
        with Image.open(path) as picture:
            assert picture.width >= 900
            assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
            colours = picture.convert("RGB").getcolors(1 << 24)
            assert len(colours) > 20, f"{path} is empty"


def test_a_report_can_be_written_again_from_its_result(written, tmp_path):
    """result.json is all it takes, and the same result gives the same bytes."""
    result = json.loads(written["result"].read_text())
    again = report.write_report(result, tmp_path, CHIPS)
    for name in ("report", "summary", "result"):
        assert again[name].read_bytes() == written[name].read_bytes()
    for one, other in zip(again["pictures"], written["pictures"]):
        assert one.read_bytes() == other.read_bytes()


def test_the_boards_that_engram_knows_are_the_default(result, tmp_path, monkeypatch):
    monkeypatch.setattr("engram_host.report.write.save_png", lambda picture, path: path)
    written = report.write_report(result, tmp_path)
    assert len(json.loads(written["summary"].read_text())["energy_mj"]) >= 3


def test_the_picture_of_the_readme(result, tmp_path):
    path = report.write_hero(result, tmp_path / "images" / "demo.png")
    with Image.open(path) as picture:
        assert picture.width > 2 * picture.height
    assert path.stat().st_size < 400_000


def test_a_picture_says_what_it_shows(result):
    svg = inline_svg(seen_picture(result), "x")
    assert 'role="img"' in svg and "with replay, 10.0% without" in svg
    assert svg.count("<title>") == 18  # a tip on every point


def test_drawing_leaves_matplotlibs_settings_alone(result):
    import matplotlib

    before = dict(matplotlib.rcParams)
    inline_svg(seen_picture(result), "x")
    assert dict(matplotlib.rcParams) == before


def test_the_terminal_shows_the_figures_with_their_sources(result):
    console = Console(file=io.StringIO(), width=90)
    console.print(report.summary_table(figures.summarise(result, CHIPS)))
    text = console.file.getvalue()
    assert re.search(r"accuracy with replay +93\.6% +icount", text)
    assert re.search(r"accuracy, joint training +97\.5% +host", text)
    assert re.search(r"all sessions on nano .* model", text)
    assert re.search(r"\+ 9 +│ +93\.6% │ ━+", text)


# ---------------------------------------------------------------- learning logs

COUNTER = {"unit": "instructions", "source": "icount", "wall_s": 1.0}


def log_lines(result, sessions=(1, 2), counter=COUNTER):
    for i in sessions:
        session = result["replay"]["sessions"][i]
        begin = {"board": "qemu_m4f", "model": "digits", "session": i, "samples": 100}
        yield {"kind": "begin", **begin, "epochs": 2, "strategy": "replay"}
        yield {"kind": "observe", "observe_units": session["observe_total"], **counter}
        for step in session["steps"]:
            yield {"kind": "step", **step, "ram_bytes": 83_000, "flash_bytes": 25_600, **counter}
        yield {"kind": "summary", "save_units": 7, "flash_bytes": 40_960, "stopped": False}


def write_log(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_log_becomes_a_page(result, tmp_path):
    log = write_log(tmp_path / "a.jsonl", log_lines(result))
    paths = report.write_log_report([log], tmp_path / "out")
    page = paths["report"].read_text()
    structure(page)
    assert "2 sessions, 200 samples, 260 training steps" in page
    assert "session 1" in page and "complete" in page and "40,960" in page
    assert {path.stem for path in paths["pictures"]} == {"loss", "batch_accuracy", "phases"}


def test_several_logs_and_one_that_was_cut(result, tmp_path):
    whole = write_log(tmp_path / "a.jsonl", log_lines(result, [1]))
    cut = write_log(tmp_path / "b.jsonl", list(log_lines(result, [2]))[:-40])
    with cut.open("a") as file:
        file.write('{"kind": "step", "los')  # the power went here
    page = report.write_log_report([whole, cut], tmp_path)["report"].read_text()
    assert "cut off" in page and "complete" in page and "session 2" in page


def test_logs_that_say_nothing_are_refused(result, tmp_path):
    lines = list(log_lines(result, [1]))
    silent = write_log(tmp_path / "a.jsonl", lines[:2])
    with pytest.raises(InputError, match="no training step in .*a.jsonl"):
        report.write_log_report([silent], tmp_path / "out")
    headless = write_log(tmp_path / "b.jsonl", lines[2:])
    with pytest.raises(InputError, match='expected a record "begin" first, got "step"'):
        report.write_log_report([headless], tmp_path / "out")
    clock = {**COUNTER, "unit": "us", "source": "host"}
    other = write_log(tmp_path / "c.jsonl", log_lines(result, [2], clock))
    paths = [write_log(tmp_path / "d.jsonl", lines), other]
    with pytest.raises(InputError, match=r"got instructions \(icount\) and us \(host\)"):
        report.write_log_report(paths, tmp_path / "out")
    with pytest.raises(InputError, match="no training step in no file at all"):
        report.write_log_report([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_readmes_picture_has_a_command(written, tmp_path, capsys):
    picture = tmp_path / "demo.png"
    assert main([str(written["result"]), str(picture)]) == 0
    assert picture.exists() and str(picture) in capsys.readouterr().out
    assert main([]) == 2
