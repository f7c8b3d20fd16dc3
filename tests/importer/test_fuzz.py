"""Damaged and hostile model files end in an error of ours, in bounded memory and time."""

import pytest

from importer import fuzz, hostile


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_files_that_are_none_are_told(kind):
    """A few seconds of `make fuzz`; those of PyTorch are in tests/autograd."""
    if not hostile.is_there(kind):
        pytest.skip(f"{hostile.PACKAGES[kind]} is not installed")
    fine, words = fuzz.run(kind, seed=1, budget=2, count=400)
    assert fine, words


def test_a_fault_is_found(tmp_path, monkeypatch):
    """A reader that is broken is named with the file that broke it."""
    script = tmp_path / "broken.py"
    script.write_text("import sys; print('tflite 7 conv', file=sys.stderr); 1/0")
    monkeypatch.setattr(fuzz, "__file__", str(script))
    fine, words = fuzz.run("tflite", seed=1, budget=1)
    assert not fine and "at ['tflite 7 conv'] (seed 1)" in words and "ZeroDivisionError" in words
