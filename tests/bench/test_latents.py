"""The latents of the continual-learning benchmark, and how its protocols cut the data."""

import sys
from pathlib import Path

import numpy as np
import pytest

from engram_host.convert import DeviceModel
from engram_host.datasets import Characters, Clips, Dataset, Words

sys.path.insert(0, str(Path(__file__).resolve().parent / "continual"))

import latents
import latents_protocols as protocols

FASHION = latents.MODELS / "fashion.safetensors"
MODEL_FILES = sorted(name for names in protocols.MODELS.values() for name in names)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (12, 28, 28, 1), np.uint8)


# ---------------------------------------------------------------- models


def test_every_model_of_a_protocol_is_there_and_no_other():
    assert sorted(path.stem for path in latents.MODELS.glob("*.safetensors")) == MODEL_FILES


def test_the_models_are_small():
    sizes = [path.stat().st_size for path in latents.MODELS.glob("*.safetensors")]
    assert max(sizes) <= 150_000 and sum(sizes) <= 600_000


STORED = ("P1", "P3", "P5")  # what is replayed; a prototype is not
STORE_OVERHEAD = 16  # bytes of a record beside its latent, at most: REPLAY_FORMAT.md


@pytest.mark.parametrize("name", [n for p in STORED for n in protocols.MODELS[p]])
def test_500_latents_fit_200_kb_of_flash(name):
    shape = DeviceModel(latents.MODELS / f"{name}.safetensors").graph["latent"]["shape"]
    size = int(np.prod(shape))
    assert 500 * (size + STORE_OVERHEAD) <= 200_000


def test_models_of_one_protocol_share_their_latents():
    for names in protocols.MODELS.values():
        scales = {str(DeviceModel(latents.MODELS / f"{n}.safetensors").graph["latent"])
                  for n in names}  # fmt: skip
        assert len(scales) == 1


# ---------------------------------------------------------------- latents


@pytest.mark.parametrize("name", MODEL_FILES)
def test_latents_are_those_of_the_converters_reference(name):
    """Bit for bit, so the benchmark on this computer replays what a board would store."""
    model = latents.MODELS / f"{name}.safetensors"
    device = DeviceModel(model)
    shape = (6, *device.graph["input"]["shape"])
    x = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    values = latents.frozen_latents(model, x)
    assert values.dtype == np.int8 and (values == device.latents(x).reshape(6, -1)).all()
    assert len(np.unique(values)) > 20


def test_latents_are_computed_once(tmp_path, pictures, monkeypatch):
    first = latents.cached(FASHION, pictures, tmp_path)
    monkeypatch.setattr(latents, "frozen_latents", None)
    assert (latents.cached(FASHION, pictures, tmp_path) == first).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_other_data_has_other_latents(tmp_path, pictures):
    latents.cached(FASHION, pictures, tmp_path)
    other = latents.cached(FASHION, 255 - pictures, tmp_path)
    assert (other == latents.frozen_latents(FASHION, 255 - pictures)).all()
    assert len(list(tmp_path.iterdir())) == 2


def test_samples_of_another_kind_are_refused(pictures):
    with pytest.raises(ValueError, match="784 uint8 a sample expected, 784 float32 came"):
        latents.frozen_latents(FASHION, pictures.astype(np.float32))
    with pytest.raises(ValueError, match="784 uint8 a sample expected, 728 uint8 came"):
        latents.frozen_latents(FASHION, pictures[:, :26])


def test_joint_training_learns_all_labels():
    """Ten far-apart groups of latents: what cannot be told apart by then is a fault."""
    rng = np.random.default_rng(4)
    centres = rng.integers(-128, 128, (10, 256))
    labels = np.arange(400) % 10
    values = (centres[labels] + rng.integers(-5, 6, (400, 256))).clip(-128, 127).astype(np.int8)
    model = latents.MODELS / "fashion_dense.safetensors"
    learner = latents.joint_learner(model, values[:300], labels[:300], epochs=3)
    assert latents.accuracy(model, learner, values[300:], labels[300:]) == 1.0
    before = latents.joint_learner(model, values[:16], np.zeros(16, int), epochs=1)
    assert latents.accuracy(model, before, values[300:], labels[300:]) < 0.5


def test_logits_are_those_of_the_converters_reference(pictures):
    """Twelve samples in batches of 16: the rows behind the last sample do not show."""
    device = DeviceModel(FASHION)
    values = latents.frozen_latents(FASHION, pictures)
    learner = latents.joint_learner(FASHION, values, np.arange(12) % 10, epochs=1, lr=0.0)
    outputs = latents.logits(FASHION, learner, values)
    target = device.adaptive(values.reshape(12, 4, 4, 16)).reshape(12, -1)
    assert outputs.shape == (12, 10) and np.abs(outputs - target).max() < 1e-4


# ---------------------------------------------------------------- protocols


@pytest.mark.parametrize(
    ("groups", "classes"),
    [
        (protocols.FASHION_GROUPS, 10),
        (protocols.FASHION_PAIRS, 10),
        (protocols.DIGIT_GROUPS, 10),
        (protocols.WORD_GROUPS, 12),
    ],
)
def test_each_class_comes_once(groups, classes):
    assert sorted(c for group in groups for c in group) == list(range(classes))


def test_the_rejection_classes_are_known_from_the_start():
    assert {10, 11} <= set(protocols.WORD_GROUPS[0])


def test_fashion_is_the_official_split(pictures):
    data = Dataset(pictures[:8], np.arange(8, dtype=np.uint8), pictures[8:], np.zeros(4, np.uint8))
    stream = protocols.fashion(data)
    assert stream.x_train is data.x_train and stream.y_test is data.y_test


def test_spoken_digits_are_tested_on_the_first_five_takes():
    rng = np.random.default_rng(5)
    sounds = [rng.integers(-3000, 3000, 8000).astype(np.int16) for _ in range(12)]
    takes = np.array([0, 4, 5, 49] * 3)
    clips = Clips(sounds, np.arange(12) % 10, np.array(["theo"] * 12), takes)
    stream = protocols.spoken_digits(clips)
    assert stream.x_train.shape == (6, 49, 10, 1) and stream.x_train.dtype == np.uint8
    assert stream.y_test.tolist() == [0, 1, 4, 5, 8, 9] and stream.y_train.tolist()[:2] == [2, 3]
    assert (stream.x_test[0, ..., 0] ^ 0x80 == clips.features()[0].view(np.uint8)).all()


def test_spoken_words_are_split_by_speaker():
    speakers = np.array([f"{i % 50:08x}" for i in range(500)])
    features = np.arange(500 * 490).reshape(500, 49, 10).astype(np.int8)
    words = Words(features, np.arange(500) % 12, speakers)
    stream = protocols.spoken_words(words)
    train = words.of_training()
    assert (stream.y_train == words.label[train]).all() and len(stream.x_test) == (~train).sum()
    assert (stream.x_test[..., 0] ^ 0x80 == features[~train].view(np.uint8)).all()
    assert not set(speakers[train]) & set(speakers[~train])


def test_members_are_all_of_a_group_in_order():
    labels = np.array([3, 1, 2, 1, 3])
    assert protocols.members(labels, (1, 3)).tolist() == [0, 1, 3, 4]


def test_drawn_takes_as_many_of_each_class():
    labels = np.array([0] * 50 + [1] * 50 + [2] * 4)
    rows = protocols.drawn(labels, (0, 2), 10, seed=1)
    assert len(set(rows.tolist())) == 14
    assert np.bincount(labels[rows]).tolist() == [10, 0, 4]
    assert (protocols.drawn(labels, (0, 2), 10, seed=1) == rows).all()
    assert set(protocols.drawn(labels, (0, 2), 10, seed=2)) != set(rows)


def test_few_shot_learning_sees_only_held_out_alphabets():
    alphabets = np.array(["Greek", "Korean", "Latin"])
    ink = np.random.default_rng(7).random((6, 105, 105)) < 0.1
    drawings = Characters(ink, np.array([0, 1, 2, 2, 1, 0]), np.arange(6), alphabets)
    part = protocols.drawings(drawings)
    assert part.label.tolist() == [0, 2, 2, 0] and part.drawer.tolist() == [0, 2, 3, 5]
    assert (part.x == drawings.pixels(28)[[0, 2, 3, 5]]).all()


def characters(classes=30, drawers=20):
    order = np.random.default_rng(6).permutation(classes * drawers)
    return order // drawers, order % drawers + 1


def test_an_episode_has_one_drawer_for_all_its_classes():
    labels, drawers = characters()
    for episode in protocols.episodes(labels, drawers, ways=20, shots=5, count=3, seed=1):
        assert episode.support.shape == (20, 5) and episode.query.shape == (20, 15)
        whole = np.concatenate([episode.support, episode.query], axis=1)
        assert (labels[whole] == labels[whole][:, :1]).all()
        assert len(set(labels[whole][:, 0])) == 20
        assert (drawers[whole] == drawers[whole][0]).all()
        assert sorted(drawers[whole][0]) == list(range(1, 21))


def test_episodes_differ_and_come_again():
    labels, drawers = characters()
    first, second = protocols.episodes(labels, drawers, 5, 1, count=2, seed=1)
    again = next(iter(protocols.episodes(labels, drawers, 5, 1, count=1, seed=1)))
    assert (first.support != second.support).any() and (first.support == again.support).all()


def test_a_class_without_one_of_the_drawers_is_refused():
    labels, drawers = characters()
    with pytest.raises(ValueError, match="lacks a drawing"):
        next(protocols.episodes(labels[1:], drawers[1:], 5, 1, count=1, seed=1))


def test_prototypes_find_the_nearest_mean():
    values = np.array([[0, 0], [2, 0], [10, 0], [12, 0], [3, 0], [9, 0]], np.int8)
    episode = protocols.Episode(np.array([[0, 1], [2, 3]]), np.array([[4], [5]]))
    assert protocols.prototype_accuracy(values, episode) == 1.0
    reverse = protocols.Episode(episode.support, episode.query[::-1])
    assert protocols.prototype_accuracy(values, reverse) == 0.0
