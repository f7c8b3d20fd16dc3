"""Generative replay against stored latents, in the smallest size: seconds, no data set."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / folder) for folder in ("unlabelled", "budget", "continual")]

import generated  # noqa: E402
import parts as campaign  # noqa: E402
import rows as stored  # noqa: E402
import unlabelled_page  # noqa: E402

from engram_host.datasets import digits  # noqa: E402


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    rows = stored.Rows(tmp_path_factory.mktemp("rows"))
    campaign.fill(unlabelled_page.PARTS, rows, 1, [generated.PART], small=True)
    return {cell.method: rows.get(cell.key) for cell in generated.cells(small=True)}


def test_both_kinds_of_replay_keep_what_no_replay_forgets(small):
    assert set(small) == set(generated.METHODS)
    assert small["finetune"]["first"] < 0.2 and small["finetune"]["accuracy"] < 0.4
    for name in ("generated", "latents8", "latents4"):
        row = small[name]
        assert row["first"] > 0.6 and 0.7 < row["accuracy"] < small["joint"]["accuracy"] + 0.02


def test_records_take_the_bytes_of_the_decoder():
    for hidden in generated.SIZES:
        for bits in (4, 8):
            size = 64 * bits // 8 + generated.OVERHEAD
            least = generated.records(hidden, bits) * size
            assert least <= generated.bytes_of(hidden) < least + size
    # two dense layers in float32, and mean and variance of six units of ten classes
    assert generated.bytes_of(16) == 4 * (6 * 16 + 16 + 16 * 64 + 64) + 4 * 2 * 6 * 10


def test_what_numpy_decodes_is_what_the_model_answers():
    data = digits()
    x = (data.x_train[:60].reshape(-1, 64) * 15).astype(np.uint8)
    generator = generated.Generator(generated.Cell("generated", 16, 1), 20)
    generator.session(x, data.y_train[:60])
    answer = generator._learner.predict(memoryview(x[0]))
    decoded = generator.decoded(np.array([answer["code_mean"]]))[0]
    assert np.allclose(decoded, answer["again"], atol=1e-5)
    assert set(generator.codes) == set(data.y_train[:60].tolist())
