"""Evaluation a micro-batch at a time: each sample is scored by what the model says of it."""

import io
from array import array

import numpy as np
import pytest

from engram import Learner, ModelSpec
from learn.random_graphs import Case


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_sample_is_scored_by_its_own_latent(seed, frozen):
    case = Case(seed, ("global_avgpool", "dense"), 4, 4, "all", "regress", frozen)
    spec = ModelSpec(io.BytesIO(case.model_bytes()))
    learner = Learner(spec, batch=4)
    rng = np.random.default_rng(seed)
    xs = [array("f", rng.normal(0, 1, spec.input_elems)) for _ in range(6)]
    ys = [array("f", rng.normal(0, 1, spec.targets)) for _ in xs]
    answers = [learner.predict(x) for x in xs]
    result = learner.evaluate(zip(xs, ys, strict=True))
    for name, (_, at, n) in learner.outputs.items():
        values = [answer[name] if isinstance(answer, dict) else answer for answer in answers]
        target = [y[at : at + n] for y in ys]
        figures = result.get(name, result)
        assert figures["mse"] == pytest.approx(np.mean((np.array(values) - np.array(target)) ** 2))
