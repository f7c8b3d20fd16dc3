"""A model file that is not right is refused, with the reason, before anything is allocated."""

import copy
import io

import pytest
import tiny_model

from engram import ModelSpec
from engram.errors import ModelError
from engram.nn.reading import legacy_ids


def load(data):
    return ModelSpec(io.BytesIO(data))


def test_a_good_file_is_described():
    spec = load(tiny_model.model_bytes())
    assert (spec.name, spec.classes, spec.input_elems, spec.latent_elems) == ("tiny", 4, 72, 45)
    assert spec.parameter_bytes == 4 * (6 * 45 + 6 + 8 * 6 + 8 + 4 * 8 + 4)


def test_every_truncation_is_refused():
    data = tiny_model.model_bytes()
    for cut in list(range(0, 64)) + list(range(64, len(data), 97)) + [len(data) - 1]:
        with pytest.raises(ModelError):
            load(data[:cut])


def test_trailing_bytes_are_refused():
    with pytest.raises(ModelError, match="expected"):
        load(tiny_model.model_bytes() + b"\0")


def test_another_version_is_refused():
    graph, tensors = tiny_model.graph_and_tensors()
    with pytest.raises(ModelError, match="version 1 or 2, got 3"):
        load(tiny_model.pack(graph, tensors, version="3"))


def _set(path, value):
    def change(graph):
        for key in path[:-1]:
            graph = graph[key]
        graph[path[-1]] = value

    return change


def _delete(path):
    def change(graph):
        for key in path[:-1]:
            graph = graph[key]
        del graph[path[-1]]

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (_set(["input", "dtype"], "int64"), "expected an input of dtype .*, got int64"),
        (_set(["classes"], 300), "1 to 254 classes"),
        (_set(["classes"], 5), "one per class"),
        (_set(["frozen", 0, "op"], "lstm"), "node f0: expected an op of .*, got lstm"),
        (_set(["frozen", 0, "out"], [5, 6, 4]), r"f0 .* output \[6, 6, 4\], got \[5, 6, 4\]"),
        (_set(["frozen", 1, "in"], [6, 6, 3]), r"f1 .* input \[6, 6, 4\], got \[6, 6, 3\]"),
        (_set(["frozen", 2, "w"], "nowhere"), "expected a tensor nowhere in .*, got none"),
        (_set(["frozen", 2, "bias"], "f2.w"), "I32"),
        (_set(["latent", "shape"], [3, 3, 4]), "latent of shape"),
        (_set(["adaptive"], []), "expected a node of the adaptive stage"),
        (_delete(["adaptive", 5]), "classes from a dense float32 node, got global_avgpool"),
        (_delete(["latent", "scale"]), "incomplete"),
        (_delete(["frozen", 0, "kernel"]), "incomplete"),
        (_set(["frozen", 0, "stride"], [0, 1]), "stride"),
        (_set(["frozen", 0, "strides"], [2, 2]), r"f0 .* expected keys of .*, got strides"),
        (_set(["adaptive", 5, "activation"], "relu"), r"a5 .* keys of .*, got activation"),
    ],
)
def test_an_inconsistent_graph_is_refused(change, message):
    graph, tensors = tiny_model.graph_and_tensors()
    graph = copy.deepcopy(graph)
    change(graph)
    with pytest.raises(ModelError, match=message):
        load(tiny_model.pack(graph, tensors))


def test_tensor_sizes_are_checked():
    graph, tensors = tiny_model.graph_and_tensors()
    name, dtype, shape, data = tensors[0]
    with pytest.raises(ModelError, match="expected .* bytes for its shape, got"):
        load(tiny_model.pack(graph, [(name, dtype, shape, data + b"\0")] + tensors[1:]))


def test_latent_id_follows_the_frozen_stage_only():
    graph, tensors = tiny_model.graph_and_tensors()
    spec = load(tiny_model.pack(graph, tensors))

    def changed(index):
        name, dtype, shape, data = tensors[index]
        other = (name, dtype, shape, bytes([data[0] ^ 1]) + data[1:])
        return load(tiny_model.pack(graph, tensors[:index] + [other] + tensors[index + 1 :]))

    frozen, adaptive = changed(0), changed(len(tensors) - 1)
    assert frozen.latent_id != spec.latent_id and frozen.model_id != spec.model_id
    assert adaptive.latent_id == spec.latent_id and adaptive.model_id != spec.model_id


def ids(change=None, tensors=None):
    graph, own = tiny_model.graph_and_tensors()
    graph = copy.deepcopy(graph)
    if change:
        change(graph)
    spec = load(tiny_model.pack(graph, tensors or own))
    return spec.latent_id, spec.model_id


def _swap(path, i, j):
    def change(graph):
        for key in path:
            graph = graph[key]
        graph[i], graph[j] = graph[j], graph[i]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set(["frozen", 0, "q", 3], 90),  # range of an activation
        _set(["frozen", 1, "q", 0], -127),  # zero point
        _set(["input", "scale"], 1 / 128),
        _set(["input", "zero_point"], -100),
        _set(["latent", "scale"], 1 / 32),
        _set(["frozen", 3, "op"], "maxpool"),
    ],
)
def test_what_a_latent_means_is_in_both_ids(change):
    """Equal ids mean that stored latents are interchangeable: the tensors alone do not say so."""
    latent, model = ids()
    assert latent != ids(change)[0] and model != ids(change)[1]


@pytest.mark.parametrize(
    "change",
    [_delete(["adaptive", 1]), _set(["adaptive", 1, "op"], "tanh"), _swap(["adaptive"], 3, 4)],
)
def test_the_graph_above_the_latent_is_in_the_id_of_the_model(change):
    latent, model = ids()
    assert ids(change)[0] == latent and ids(change)[1] != model


def test_ids_of_older_releases_are_known():
    """Stores that they wrote are opened: the figures are those of release 0.1."""
    spec = load(tiny_model.model_bytes())
    assert legacy_ids(spec) == (0xA7C76D73, 0x60D55E7B)
    assert legacy_ids(spec) != (spec.latent_id, spec.model_id)
