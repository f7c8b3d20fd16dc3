"""Models in memory-mapped flash: int8 weights take no RAM there, and nothing else changes."""

import pytest

from engram.nn.model import ModelSpec
from engram_host import api, samples
from engram_host.convert import model_file
from engram_host.errors import DeviceError, InputError

_ALIGN = 64  # bytes between buffers that are gone


def _frozen_bytes(path):
    """Bytes of the int8 and int32 tensors of a model file."""
    with path.open("rb") as stream:
        spec = ModelSpec(stream)
        sizes = [row[3] for row in spec.file.entries.values() if row[0] != "F32"]
    return sum(sizes)


def _answers(board, some, data, **options):
    """The learner's facts, and its scores after a session of a new class."""
    learned = api.learn(board, some([5], 20), epochs=2, **options)
    scores = api.eval(board, samples.make(data.x_test[:80], data.y_test[:80]))
    return [row["loss"] for row in learned.steps], scores["right"]


@pytest.mark.board
def test_a_model_learns_in_flash_as_it_does_in_a_file(
    name, model, some, data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with api.connect(name) as board:
        file = api.push_model(board, model, batch=8)
        as_file = _answers(board, some, data)
        flash = api.push_model(board, model, batch=8, place="flash", fresh=True)
        saved = file["ram_planned_bytes"] - flash["ram_planned_bytes"]
        assert saved >= _frozen_bytes(model) - _ALIGN
        assert _answers(board, some, data) == as_file
        assert "flash:model.safetensors" in board.files()
    api.reboot(name)
    with api.connect(name) as board:  # it is open as it was
        facts = board.info()
        assert facts["model"] == "flash:model.safetensors"
        again = api.learn(board, some([6], 8), epochs=1, log=tmp_path / "again.jsonl")
        assert again.summary["session"] == 2
        assert board.get("flash:model.safetensors") == model.read_bytes()


@pytest.mark.board
def test_the_old_model_serves_until_the_new_one_is_open(name, model, tmp_path):
    other = tmp_path / "other.safetensors"
    names = "\n".join("abcdefghij")
    other.write_bytes(model_file.with_metadata(model.read_bytes(), class_names=names))
    with api.connect(name) as board:
        api.push_model(board, model, batch=8, place="flash")
        with pytest.raises(DeviceError, match="to 254 classes"):
            api.push_model(board, other, classes=2, place="flash")
        assert board.get("flash:model.safetensors") == model.read_bytes()
        assert board.open("flash:model.safetensors", batch=8)["batch"] == 8
        for path in (other, model, other):
            api.push_model(board, path, batch=8, place="flash")
            assert board.get("flash:model.safetensors") == path.read_bytes()
        board.remove("flash:model.safetensors")
        assert "flash:model.safetensors" not in board.files()


def test_a_board_that_keeps_all_in_files_says_so(device, model):
    with pytest.raises(DeviceError, match="push the model as a file"):
        api.push_model(device, model, place="flash")
    with pytest.raises(InputError, match="expected a place of file, flash, got 'ram'"):
        api.push_model(device, model, place="ram")
