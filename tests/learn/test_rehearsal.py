"""Latents that a model file carries: a store without any gets them, once, whatever happens."""

import io
import json
import struct

import numpy as np
import pytest
import tiny_model
from ram_board import PROGRAM_BYTES, board, observe, opened

from engram import ModelError, ModelSpec
from engram.backend import kernels
from engram.continual.numbers import PAST, next_session
from engram.store import RamFlash

ELEMS, KNOWN = 45, 4
LABELS = [i % KNOWN for i in range(12)]
LATENTS = np.random.default_rng(3).integers(-128, 128, (len(LABELS), ELEMS)).astype(np.int8)


def carrying(latents=LATENTS, labels=LABELS):
    graph, tensors = tiny_model.graph_and_tensors()
    tensors.append(("rehearsal.latents", "I8", latents.shape, latents.tobytes()))
    tensors.append(("rehearsal.labels", "I8", (len(labels),), bytes(labels)))
    return tiny_model.pack(graph, tensors)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "carrying.safetensors"
    path.write_bytes(carrying())
    return path


def records(learner):
    """[(label, packed latent)] in the order in which they were stored."""
    store, triples = learner.store, []
    packed = bytearray(store.latent_bytes)
    for slot, label in enumerate(store.labels):
        if label != 255 and store.sessions[slot] == PAST:
            store.read_into(slot, packed)
            triples.append((store.sequence(slot), label, bytes(packed)))
    return [row[1:] for row in sorted(triples)]


def packed(latents, labels, bits=8):
    rows = []
    for latent, label in zip(latents, labels, strict=True):
        out = bytearray(kernels.packed_bytes(ELEMS, bits))
        kernels.pack_s8(out, latent.view(np.uint8), bits)
        rows.append((label, bytes(out)))
    return rows


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_a_blank_store_gets_them_in_its_own_bits(model, bits):
    learner = opened(model, board(), bits=bits)
    assert records(learner) == packed(LATENTS, LABELS, bits)
    assert learner.rehearsed == learner.info()["rehearsed"] == len(LABELS)
    assert learner.session == 0 and learner.current_slots() == []  # of the past, not new
    assert list(learner.brought) == [3, 3, 3, 3]


def test_they_are_not_stored_again(model):
    on = board()
    for _ in range(3):
        learner = opened(model, on)
        assert records(learner) == packed(LATENTS, LABELS)
    observe(learner, 1)
    learner.learn()
    learner.save()
    again = opened(model, on)
    assert again.rehearsed == len(LABELS) and len(again.store) == len(LABELS) + 8
    assert list(again.brought) == [3, 11, 3, 3]


def test_a_store_that_was_trimmed_gets_none_back(model):
    on = board()
    learner = opened(model, on, budget=8)
    observe(learner, 0, 1)
    learner.learn()  # trims to the budget
    learner.save()
    smaller = opened(model, on, budget=8)
    assert len(smaller.store) == 8 and smaller.rehearsed < len(LABELS)


def test_the_budget_limits_them_class_by_class(model):
    learner = opened(model, board(), budget=8)
    assert records(learner) == packed(LATENTS[:8], LABELS[:8])


def test_a_store_without_a_budget_gets_none(model):
    assert opened(model, board(), budget=0, strategy="finetune").rehearsed == 0


def test_classes_that_do_not_count_as_known_are_left_out(model):
    learner = opened(model, board(), known=2)
    rows = [i for i, label in enumerate(LABELS) if label < 2]
    assert records(learner) == packed(LATENTS[rows], [LABELS[i] for i in rows])


def test_they_are_replayed(model):
    learner = opened(model, board())
    observe(learner, 0)
    assert {record["replayed"] > 0 for record in learner.steps(epochs=2)} == {True}


class PowerCut(Exception):
    pass


class CutFlash(RamFlash):
    """NOR flash whose power fails in a program: half of its bytes are written."""

    left = None

    def writeblocks(self, block, buf, offset):
        if self.left == 0:
            half = bytes(buf[: len(buf) // 2])
            super().writeblocks(block, half + b"\xff" * (len(buf) - len(half)), offset)
            raise PowerCut
        if self.left:
            self.left -= 1
        super().writeblocks(block, buf, offset)


def test_a_fill_that_is_cut_anywhere_is_completed_and_never_doubled(model):
    target, cuts = packed(LATENTS, LABELS), 0
    for at in range(40):
        flash = CutFlash(48, 1024, PROGRAM_BYTES)
        flash.left = at
        try:
            opened(model, board(flash=flash))
        except PowerCut:
            cuts += 1
        flash.left = None
        learner = opened(model, board(flash=flash))
        assert records(learner) == target, at
        assert list(learner.brought) == [3, 3, 3, 3]
    assert cuts > len(LABELS)


def test_the_model_stays_the_same():
    plain = ModelSpec(io.BytesIO(tiny_model.model_bytes()))
    with_latents = ModelSpec(io.BytesIO(carrying()))
    assert plain.rehearsal is None and with_latents.rehearsal[0] == len(LABELS)
    ids = plain.latent_id, plain.model_id
    assert (with_latents.latent_id, with_latents.model_id) == ids


@pytest.mark.parametrize(
    "wrong", [carrying(latents=LATENTS[:, :-1].copy()), carrying(labels=LABELS[:-1])]
)
def test_latents_that_are_not_the_models_are_refused(wrong):
    with pytest.raises(ModelError, match="tensor rehearsal.* expected I8"):
        ModelSpec(io.BytesIO(wrong))


def test_targets_come_with_them(tmp_path):
    raw = tiny_model.with_outputs("classes", "place")
    size = struct.unpack("<Q", raw[:8])[0]
    header, rest = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    targets = np.arange(2 * len(LABELS), dtype="<f4").reshape(-1, 2)
    for name, dtype, array in (
        ("latents", "I8", LATENTS), ("labels", "I8", np.array(LABELS, np.int8)),
        ("targets", "F32", targets),
    ):
        span = [len(rest), len(rest) + array.nbytes]
        header["rehearsal." + name] = {
            "dtype": dtype, "shape": list(array.shape), "data_offsets": span,
        }
        rest += array.tobytes()
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + rest)
    learner = opened(path, board())
    out, target, values = bytearray(ELEMS), bytearray(8), {}
    for slot, label in enumerate(learner.store.labels):
        if label != 255:
            learner.store.read_into(slot, out, target)
            values[learner.store.sequence(slot)] = np.frombuffer(target, "<f4").tolist()
    assert [values[key] for key in sorted(values)] == targets.tolist()


def test_no_session_has_the_number_of_the_past(model):
    learner = opened(model, board())
    assert next_session(learner.store, PAST - 1) == PAST + 1
    observe(learner, 0)
    assert learner.current != PAST


# --- the warning ------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(tiny_model.model_bytes())
    return path


def test_learning_with_an_empty_memory_warns_before_it_starts(plain, capsys):
    learner = opened(plain, board(), known=3)
    observe(learner, 3)
    seen = []
    summary = learner.learn(on_step=lambda record: seen.append(capsys.readouterr().out))
    assert "the 3 classes that the model knows" in seen[0] and "end_session() first" in seen[0]
    assert summary["unrehearsed"] == 3


@pytest.mark.parametrize("how", ["carried", "observed", "new", "finetune", "no replay"])
def test_nothing_is_said_where_nothing_is_forgotten_unawares(plain, model, capsys, how):
    options = {"strategy": "finetune"} if how == "finetune" else {}
    learner = opened(model if how == "carried" else plain, board(), known=3, **options)
    if how == "observed":
        observe(learner, 0, 1, 2)
        learner.end_session()
    observe(learner, *((0, 1, 2, 3) if how == "new" else (3,)))
    summary = learner.learn(replay=how != "no replay")
    assert capsys.readouterr().out == "" and summary["unrehearsed"] == 0
