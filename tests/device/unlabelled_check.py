"""Models that learn without answers, on any host: auto-encoders of images and of values, one of
them with a classifier on its code.

"exact" lines must be equal everywhere; numbers of "close" lines may differ by the float32
tolerance that the caller states. A step runs with the heap locked where there is a lock.
"""

import gc
import io
from binascii import crc32

import tiny_model
from engram import Learner, ModelSpec
from engram.compat import bytes_of
from engram.errors import DataError
from engram.store import Checkpoints, RamFlash, ReplayStore, regions
from learning import close, step_locked

PAGE = 16
FLASH = RamFlash(24, 1024, PAGE)
ROOM = []  # for the arena of the next learner, kept in one piece
ROOM_BYTES = 28 * 1024
UNITS, HIDDEN = 3, 16
CONV = {"kernel": [2, 2], "stride": [2, 2], "pad": [0, 0, 0, 0]}

IMAGE, SIGNAL, VALUES = [6, 6, 2], [36, 1, 2], [72]
ALONG = {"kernel": [2, 1], "stride": [2, 1], "pad": [0, 0, 0, 0]}

# name: (objective of the reconstruction, whether there is a classifier, shape of an input, options
# of the learner)
CASES = (
    ("bernoulli", "bernoulli", False, IMAGE, {}),
    ("gaussian", "reconstruct", False, IMAGE, {"optimiser": "adam", "lr": 0.01}),
    ("classes", "bernoulli", True, IMAGE, {}),
    ("micro", "bernoulli", True, IMAGE, {"micro": 2}),
    ("signal", "bernoulli", False, SIGNAL, {}),
    ("values", "reconstruct", False, VALUES, {}),
    ("q8", "bernoulli", True, IMAGE, {"format": "q8"}),
    ("q8-keep", "reconstruct", False, IMAGE, {"format": "q8", "micro": 4, "keep": 0.5}),
    ("q8-signal", "bernoulli", False, SIGNAL, {"format": "q8"}),
    ("q8-values", "reconstruct", False, VALUES, {"format": "q8"}),
)
GRADIENTS = (("bernoulli", IMAGE), ("reconstruct", SIGNAL), ("bernoulli", VALUES))


def nodes(objective, classifier, shape):
    """(nodes, outputs, tensors) of an auto-encoder of tiny_model's images, or of the same numbers
    as a signal of two channels or as values."""
    gen = tiny_model._lcg(23)
    tensors, out = [], []

    def add(name, op, *inputs, w=None, b=None, **attributes):
        node = dict(attributes, name=name, op=op)
        node["in"] = list(inputs)
        for key, shape, scale in (("w", w, 0.4), ("b", b, 0.1)):
            if shape:
                node[key] = name + "." + key
                data = tiny_model._f32(gen, tiny_model._size(shape), scale)
                tensors.append((node[key], "F32", shape, data))
        out.append(node)

    n, window, own = 36, (4, 2, 2, 2), dict(CONV, out=[3, 3, 4])
    if shape == SIGNAL:
        n, window, own = 72, (4, 2, 1, 2), dict(ALONG, out=[18, 1, 4])
    if shape == VALUES:
        n = 4
        add("conv", "dense", "input", w=(n, 72), b=(n,), out=[n])
    else:
        add("conv", "conv2d", "input", w=window, b=(4,), **own)
    add("relu", "relu", "conv")
    add("code_mean", "dense", "relu", w=(UNITS, n), b=(UNITS,), out=[UNITS])
    add("code_spread", "dense", "relu", w=(UNITS, n), b=(UNITS,), out=[UNITS])
    add("code", "sample", "code_mean", "code_spread")
    add("back", "dense", "code", w=(n, UNITS), b=(n,), out=[n])
    add("back_relu", "relu", "back")
    if shape == VALUES:
        add("again", "dense", "back_relu", w=(72, n), b=(72,), out=shape)
    else:
        add("image", "reshape", "back_relu", out=own["out"])
        add("again", "conv2d_t", "image", w=window, b=(2,), **dict(own, out=shape))
    outputs = [
        {"node": "again", "objective": objective},
        {"node": "code_mean", "objective": "kl_mean", "weight": 0.0625, "warm_up": 8},
        {"node": "code_spread", "objective": "kl_spread", "weight": 0.0625, "warm_up": 8},
    ]
    if classifier:
        add("seen", "stop", "code_mean")
        add("classes", "dense", "seen", w=(4, UNITS), b=(4,), out=[4])
        outputs.append({"node": "classes", "objective": "classify"})
    return out, outputs, tensors


def model(objective, classifier, shape=IMAGE):
    """The bytes of a model file."""
    graph, _ = tiny_model.graph_and_tensors()
    own, outputs, tensors = nodes(objective, classifier, shape)
    graph["input"]["shape"] = shape
    for stage in ("frozen", "adaptive"):
        graph.pop(stage)
    graph["classes"] = 4 if classifier else 0
    graph["nodes"], graph["outputs"] = own, outputs
    graph["latent"] = {"node": "input", "shape": graph["input"]["shape"], "scale": 1 / 255,
                       "zero_point": -128}
    return tiny_model.pack(graph, tensors, "2")


def open_learner(objective, classifier, shape=IMAGE, **options):
    spec = ModelSpec(io.BytesIO(model(objective, classifier, shape)))
    store, checkpoints = regions(FLASH, 128 + 3 * spec.parameter_bytes, PAGE)
    store = ReplayStore(store, PAGE, spec.latent_id, spec.latent_elems)
    checkpoints = Checkpoints(checkpoints, PAGE, spec.model_id)
    usual = {"batch": 8, "lr": 0.1, "seed": 3, "budget": 20, "policy": "reservoir"}
    gc.collect()
    ROOM.clear()
    return Learner(spec, store, checkpoints, **dict(usual, **options))


def keep_room():
    gc.collect()
    ROOM.append(bytearray(ROOM_BYTES))


def parameters(learner):
    """The float32 parameters, or the int8 weights of q8."""
    for name, window in getattr(learner.stage, "integers", ()):
        if name == "weights":
            return [value - (value >> 7 << 8) for value in bytes(window)]
    return learner.stage.params


def state(learner):
    """The bytes of all that is learned."""
    own = [bytes(window) for _, window in getattr(learner.stage, "integers", ())]
    return own + [bytes(bytes_of(learner.stage.params))]


def learn(learner, name):
    """A learning run: which records each step has, its losses and those of each output."""
    picks, losses, rights = 0, [], []
    for record in learner.steps(4):
        picks = crc32(bytes(learner.slots), picks)
        losses.append(record["loss"])
        losses += [record["losses"][key] for key in sorted(record["losses"])]
        rights.append("-" if record["acc"] is None else "%.3f" % record["acc"])
    print("exact", name, "picks %08x" % (picks & 0xFFFFFFFF), " ".join(rights))
    close(name + "-losses", losses)
    step_locked(learner)


def erase():
    for block in range(FLASH.blocks):
        FLASH.ioctl(6, block)


def check(name, objective, classifier, shape, options):
    erase()
    learner = open_learner(objective, classifier, shape, **options)
    facts = learner.info()
    print("exact", name, [(o["name"], o["objective"], o["values"]) for o in facts["outputs"]])
    for labels in ((0, 1), (2, 3)):
        for label in labels:
            for i in range(6):
                known = classifier and i % 3 == 0
                learner.observe(tiny_model.sample(label, i), label if known else None)
        learn(learner, name)
        learner.end_session()
    print("exact", name, "labels", sorted(set(learner.store.labels)))
    close(name + "-params", parameters(learner))
    x = tiny_model.sample(2, 50)
    close(name + "-score", [learner.score(x), learner.score(x)])
    answer = learner.predict(x)
    for key in ("again", "code_mean", "code_spread"):
        close(name + "-" + key, answer[key])
    tests = [(tiny_model.sample(c, 90), c if classifier else None) for c in range(4)]
    result = learner.evaluate(tests)
    losses = [result[key]["loss"] for key in ("again", "code_mean", "code_spread")]
    close(name + "-evaluated", losses)
    print("exact", name, "right", result.get("correct"), "of", result["n"])
    for y in ((None,) if classifier else ()) + ((1.5,) if classifier else (2,)):
        try:
            print("exact", name, learner.inputs.expected(y))
        except DataError as e:
            print("exact", name, e)
    learner.save()
    before = state(learner)
    learner = None
    keep_room()
    again = open_learner(objective, classifier, shape, **options)
    print("exact", name, "load", again.load(), again.session, len(again.store))
    print("exact", name, "reloaded", state(again) == before)


def loss_of(stage):
    """The bound of a micro-batch, by the same draws each time; its gradients are not computed."""
    stage.variational.begin(5)
    stage.begin()
    stage.forward_loss()
    losses = {name: stage.stats[name][0] / stage.micro for name in stage.stats}
    return stage.variational.loss(losses)


def check_gradients(objective, shape):
    """The gradients of a bound, through the drawn code, against differences of it: the largest of
    each tensor. A ReLU may turn within a step, and float32 leaves 1e-7 of a loss of 1."""
    erase()
    learner = open_learner(objective, False, shape, optimiser="adam", micro=4)
    stage, learned = learner.stage, learner.stage.learned
    for i in range(stage.micro):
        stage.infer_row(tiny_model.sample(i % 4, i), stage.micro - 1 - i)
    stage.take_latents()
    stage.start()
    stage.variational.warm(8)
    loss_of(stage)
    stage.backward()
    origins = stage.origins
    for k in range(0, len(origins), 3):
        first, n = origins[k], origins[k + 2]
        at = max(range(first, first + n), key=lambda i: abs(learned.grads[learned.place(i)]))
        gradient, losses, before = learned.grads[learned.place(at)], [], stage.params[at]
        for sign in (1, -1):
            stage.params[at] = before + sign / 256
            losses.append(loss_of(stage))
        stage.params[at] = before
        slope = 128 * (losses[0] - losses[1]) * stage.micro / learner.batch
        assert abs(gradient) > 1e-4, (at, gradient)
        assert abs(slope - gradient) < 0.1 * abs(gradient), (at, slope, gradient)
    print("exact gradients of", objective, "of", shape, "in", len(origins) // 3, "tensors")


def main():
    for name, objective, classifier, shape, options in CASES:
        keep_room()
        check(name, objective, classifier, shape, options)
    for objective, shape in GRADIENTS:
        keep_room()
        check_gradients(objective, shape)


if __name__ == "__main__":
    main()
