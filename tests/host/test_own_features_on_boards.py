"""A frozen stage of another runtime, on a board: a function makes what a head learns from."""

import contextlib
import io

import pytest

import engram
from engram_host import api
from host.command import run

PROGRAM = """
import engram
from array import array
def features(x): return array("f", (sum(x) / 64, max(x) / 64, abs(x[1] - x[0]) / 64))

learner = engram.open({name!r}, features=features, batch=4, lr=0.5, bits=8{more})
for i in range(24): ok = learner.observe([i % 3 * 10, i % 3 * i, 5], i % 3)

for record in learner.steps(epochs=30): ok = record

print("answers", [learner.predict([i * 10, i * 6, 5])[0] for i in range(3)], repr(ok["loss"]))
"""


@pytest.mark.board
def test_a_board_learns_as_this_computer_does(name, tmp_path):
    model = tmp_path / "head.safetensors"
    api.make_head(model, inputs=3, low=0, high=2, classes=3)
    said = io.StringIO()
    state = f", folder={str(tmp_path / 'state')!r}"
    with contextlib.redirect_stdout(said):
        exec(PROGRAM.format(name=str(model), more=state), {"engram": engram})
    expected = said.getvalue().split()[:4]
    with api.connect(name) as board:
        board.put("head.safetensors", model.read_bytes())
    output = run("repl", "--port", name, input=PROGRAM.format(name=model.name, more="")).stdout
    answers = [line for line in output.splitlines() if line.startswith("answers")]
    assert [line.split()[:4] for line in answers] == [expected]
    assert expected == ["answers", "[0,", "1,", "2]"]
    losses = [float(text.split()[-1]) for text in (answers[0], said.getvalue())]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
