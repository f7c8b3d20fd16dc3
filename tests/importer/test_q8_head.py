"""The head of an imported int8 model that learns in 8-bit integers: what is left of the file's."""

import numpy as np

import engram
from engram.memory.record import EXPONENT, RECORD
from engram_host import api
from engram_host.imports import pipeline
from importer.test_import import classifier


def windows(learner, name, dtype):
    return np.frombuffer(bytes(dict(learner.stage.integers)[name]), dtype)


def test_the_integers_of_the_file_are_in_both_bytes_of_a_weight(tmp_path):
    """Scales of q8 are powers of two, those of the file any numbers: the integers differ. The byte
    that steps below the last bit are kept in has what is missing."""
    path, out = tmp_path / "net.tflite", tmp_path / "out.safetensors"
    path.write_bytes(classifier())
    api.import_model(path, out, cut="flatten_3", input_dtype="uint8")
    w = pipeline.read(path).layers[4].tensors["w"]
    learner = engram.open(str(out), format="q8")
    exponent = windows(learner, "records", np.int32).reshape(-1, RECORD)[-1, EXPONENT]
    steps = 2.0**-exponent / w.scales[0]  # of the file, in one of q8
    first = windows(learner, "weights", np.int8) * steps
    both = first + windows(learner, "rests", np.int8) / 256 * steps
    assert np.abs(both - w.values.ravel()).max() < 0.01
    assert np.array_equal(np.rint(both), w.values.ravel())
    assert 0.5 < np.abs(first - w.values.ravel()).max() < 0.51 * steps  # what answers are made of
