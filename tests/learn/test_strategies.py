"""Each strategy, step by step, against the formula of its paper in numpy."""

import numpy as np
import pytest
from strategies_reference import HIDDEN, LATENT, Life, Net, Sgd, assert_close, softmax

from engram import DataError, FitError, ModelError
from engram.continual import strategies


def session(life, *labels, count=10):
    for label in labels:
        life.add(label, count)


def learn(life, epochs=2):
    for _ in life.steps(epochs):
        pass
    life.learner.end_session()


def biases():
    """1 at the biases of the network, 0 at its weights."""
    mask = np.ones(HIDDEN * (LATENT + 1) + 5 * (HIDDEN + 1))
    mask[: HIDDEN * LATENT] = 0
    mask[HIDDEN * (LATENT + 1) : -5] = 0
    return mask


def head():
    """1 at the head, 0 below."""
    mask = np.ones(HIDDEN * (LATENT + 1) + 5 * (HIDDEN + 1))
    mask[: HIDDEN * (LATENT + 1)] = 0
    return mask


@pytest.mark.parametrize(
    "name, mask", [("replay", 1.0), ("finetune", 1.0), ("head", head()), ("bias", biases())]
)
def test_plain_sgd_moves_the_parameters_that_learn(name, mask):
    life = Life(name)
    session(life, 0, 1)
    learn(life)
    session(life, 2, 3)
    net = life.net()
    sgd = Sgd(net, life, mask)
    for x, y in life.steps(3):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
    assert_close(life, net)
    before = Life(name).net().p
    moved = np.abs(net.p - before) > 1e-4
    assert moved[np.broadcast_to(mask, moved.shape) == 1].mean() > 0.5
    assert not moved[np.broadcast_to(mask, moved.shape) == 0].any()


@pytest.mark.parametrize("arguments, steps", [
    ({}, 800), ({"epochs": 1}, 3), ({"epochs": 3}, 9), ({"steps": 7}, 7),
])  # fmt: skip
def test_few_samples_are_learned_in_as_many_steps_as_are_asked_for(arguments, steps):
    """One pass over few samples is a handful of steps: by default a run takes 800."""
    life = Life("replay", batch=8)
    session(life, 0, 1)
    records = list(life.learner.steps(**arguments))
    assert [record["step"] for record in records] == list(range(1, steps + 1))
    assert {record["of"] for record in records} == {steps}


def test_one_pass_is_taken_where_that_is_more_steps(monkeypatch):
    life = Life("replay", batch=8)
    monkeypatch.setattr(type(life.learner.strategy), "STEPS", 3)
    session(life, 0, 1, count=20)
    assert life.learner.learn()["steps"] == 5


@pytest.mark.parametrize("name", ["ncm", "slda"])
def test_means_take_one_pass(name):
    life = Life(name, batch=8)
    session(life, 0, 1)
    assert life.learner.learn()["steps"] == 3


def test_a_goal_decides_the_share_of_new_samples():
    for goal, new in ((None, 3), ("domain", 4), ("user", 6)):
        life = Life("replay", batch=8, goal=goal)
        session(life, 0, 1)
        learn(life, 1)
        session(life, 2)
        assert next(life.learner.steps())["new"] == new


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_anchor_pulls_rows_of_classes_that_do_not_come(momentum):
    life = Life("replay_anchor", strategy_options={"anchor": 2}, momentum=momentum)
    session(life, 0, 1)
    learn(life)
    session(life, 1, 3)
    net, start = life.net(), life.net().p.copy()
    sgd, rows = Sgd(net, life), absent_rows(0, 2)
    for x, y in life.steps(3):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
        net.p[rows] += life.lr * 2 * (start[rows] - net.p[rows])
    assert_close(life, net)


def absent_rows(*classes):
    """Places of the head's weights and biases of some classes in the parameters."""
    first = HIDDEN * (LATENT + 1)
    weights = [first + c * HIDDEN + i for c in classes for i in range(HIDDEN)]
    return weights + [first + 5 * HIDDEN + c for c in classes]


@pytest.mark.parametrize("name, slow", [("replay", 1.0), ("ar1", 0.25)])
def test_the_learning_rate_decays_in_equal_steps_and_starts_anew(name, slow):
    """At a quarter of the way a quarter of lr_decay is gone, below the head as in it."""
    options = {"slow": slow} if name == "ar1" else None
    life = Life(name, lr_decay=0.8, strategy_options=options, momentum=0.0)
    for labels in ((0, 1), (2,)):
        session(life, *labels)
        before, steps = life.net(), life.steps(2)
        for n, (x, y) in enumerate(steps):
            after = life.net()
            total = 2 * life.learner.sampler.steps_per_epoch
            rate = np.where(head(), 1.0, slow) * life.lr * (1 - 0.8 * n / total)
            if n or name == "replay":  # ar1 begins with another head
                before.p -= rate * before.gradient(x, before.cross_entropy(x, y))
                assert_close(life, before)
            before = after
        assert n + 1 == total > 2
        life.learner.end_session()


@pytest.mark.parametrize("wrong", [-0.1, 1.1])
def test_lr_decay_is_a_share(wrong):
    with pytest.raises(DataError, match="expected lr_decay from 0 to 1, got"):
        Life("replay", lr_decay=wrong)


@pytest.mark.parametrize("name", ["finetune", "bias"])
def test_a_class_can_come_in_the_middle_of_a_session(name):
    life = Life(name)
    session(life, 0)
    net = life.net()
    assert net.known == 3
    sgd = Sgd(net, life, biases() if name == "bias" else 1.0)
    for x, y in life.steps(1):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
    session(life, 4)  # two classes at once: 3 has no sample yet
    net.known = 5
    sgd.v[:] = 0  # a run begins at rest
    for x, y in life.steps(1):
        sgd.step(net.gradient(x, net.cross_entropy(x, y)))
    assert_close(life, net)


def test_bias_keeps_neither_weight_gradients_nor_layer_inputs():
    weights = HIDDEN * LATENT + 5 * HIDDEN
    for clip, n in ((None, 1), (1.0, 2)):  # the velocity; where gradients are clipped these too
        small, large = (
            Life(name, batch=16, clip=clip).learner.planned_bytes for name in ("bias", "replay")
        )
        assert large - small >= n * 4 * weights


class Cwr:
    """CWR* as the paper has it, over the head of a Net."""

    def __init__(self, net, past):
        self.net = net
        _, _, w, b = net.parts()
        known = net.known
        self.saved = [w.copy(), b.copy()]
        for bank in self.saved:
            bank[:known] -= bank[:known].mean()
            bank[known:] = 0
        self.past = np.where(np.arange(len(b)) < known, past, 0)

    def begin(self, counts):
        self.counts = np.array(counts)
        for values, bank in zip(self.net.parts()[2:], self.saved):
            values[:] = 0
            values[self.counts > 0] = bank[self.counts > 0]

    def end(self):
        here = self.counts > 0
        p = np.sqrt(self.past[here] / self.counts[here])
        for values, bank in zip(self.net.parts()[2:], self.saved):
            new = values[here] - values[here].mean()
            weight = p.reshape(-1, *[1] * (new.ndim - 1))
            bank[here] = (bank[here] * weight + new) / (weight + 1)
            values[:] = bank
        self.past = self.past + self.counts


@pytest.mark.parametrize("name, slow", [("cwr", 0), ("ar1", 0.25), ("ar1", 0)])
def test_cwr_consolidates_its_head(name, slow):
    replay = name == "ar1"
    options = {"past": 30, "slow": slow} if replay else {"past": 30}
    life = Life(name, strategy_options=options)
    before = life.net()
    net = life.net()
    cwr = Cwr(net, 30)
    rate = np.where(head(), 1.0, slow)
    counts = np.zeros(5, int)
    for labels in ((1, 3), (1, 2), (4,)):  # new, known with new, and alone
        if not replay:
            counts[:] = 0
        session(life, *labels)
        counts[list(labels)] += 10
        net.known = life.learner.stage.known
        cwr.begin(counts)
        sgd = Sgd(net, life, rate)
        for x, y in life.steps(3):
            sgd.step(net.gradient(x, net.cross_entropy(x, y)))
        assert_close(life, net)
        cwr.end()
        life.learner.end_session()
        assert_close(life, net)
    lower = HIDDEN * (LATENT + 1)
    assert (net.p[:lower] == before.p[:lower]).all() == (slow == 0)


def test_cwr_goes_on_where_a_run_in_the_same_session_ended():
    life = Life("cwr")
    session(life, 0, 1)
    for _ in life.steps():
        pass
    between = life.net()
    sgd = Sgd(between, life, head())
    for x, y in life.steps():
        sgd.step(between.gradient(x, between.cross_entropy(x, y)))
    assert_close(life, between)


def test_consolidating_what_pre_training_knew_changes_no_decision():
    life, plain = Life("cwr"), Life("head")
    x = life.rng.normal(0, 1, (200, LATENT))
    a, b = life.net().logits(x), plain.net().logits(x)
    np.testing.assert_allclose(a - a[:, :1], b - b[:, :1], atol=1e-4)


def test_ewc_holds_what_mattered_near_where_it_was():
    strength, gamma = 0.5, 0.5
    life = Life("ewc", strategy_options={"lambda": strength, "gamma": gamma})
    net = life.net()
    fisher, anchor = np.zeros_like(net.p), np.zeros_like(net.p)
    pulls = []
    for labels in ((0, 1), (2,), (1, 3)):
        session(life, *labels)
        net.known = life.learner.stage.known
        sgd = Sgd(net, life)
        for x, y in life.steps(3):
            pull = strength * fisher * (net.p - anchor)
            pulls.append(np.abs(pull).max())
            sgd.step(net.gradient(x, net.cross_entropy(x, y)) + pull)
        assert_close(life, net)
        slots = life.learner.current_slots()
        assert len(slots) == 10 * len(labels)
        life.learner.end_session()
        fisher *= gamma
        for slot in slots:
            x, y = life.x[[slot]], life.y[[slot]]
            fisher += net.gradient(x, net.cross_entropy(x, y)) ** 2 / len(slots)
        anchor = net.p.copy()
    assert max(pulls[:9]) == 0 and 0.01 < max(pulls[9:]) < 10
    np.testing.assert_allclose(np.array(life.learner.strategy._fisher), fisher, 1e-3, 1e-7)


def test_ewc_measures_on_as_many_samples_as_it_may():
    few, all_of_them = (
        Life("ewc", strategy_options={"samples": samples}) for samples in (1, 20)
    )
    fishers = []
    for life in (few, all_of_them):
        session(life, 0, 1)
        learn(life)
        fishers.append(np.array(life.learner.strategy._fisher))
    net = few.net()
    singles = [
        net.gradient(few.x[[s]], net.cross_entropy(few.x[[s]], few.y[[s]])) ** 2 for s in range(20)
    ]
    assert min(np.abs(fishers[0] - single).max() for single in singles) < 1e-6
    np.testing.assert_allclose(fishers[1], np.mean(singles, axis=0), 1e-3, 1e-7)


def distilled(net, teacher, x, alpha, temperature):
    """The gradient by the logits of alpha KL(teacher || net) at a temperature."""
    d = np.zeros((len(x), net.known))
    q = softmax(teacher.logits(x) / temperature)
    p = softmax(net.logits(x)[:, : teacher.known] / temperature)
    d[:, : teacher.known] = alpha * (p - q) / (temperature * len(x))
    return d


@pytest.mark.parametrize("name", ["lwf", "replay_lwf"])
@pytest.mark.parametrize("depth", [None, 1])
def test_lwf_learns_from_the_model_before(name, depth):
    alpha, temperature = 3.0, 2.0
    options = {"alpha": alpha, "temperature": temperature}
    life = Life(name, strategy_options=options, depth=depth)
    net, teacher = life.net(), life.net()
    assert teacher.known == 3
    for labels in ((0, 1), (3,), (4, 0)):
        session(life, *labels)
        net.known = life.learner.stage.known
        sgd = Sgd(net, life, head() if depth else 1.0)
        most = 0
        for x, y in life.steps(3):
            d = distilled(net, teacher, x, alpha, temperature)
            if name == "replay_lwf":  # the teacher judges stored records alone
                d[: life.learner.sampler.new_per_batch] = 0
            most = max(most, np.abs(d).max())
            sgd.step(net.gradient(x, net.cross_entropy(x, y) + d))
        assert most > 1e-3 or (name == "replay_lwf" and not life.learner.sampler.old)
        assert_close(life, net)
        life.learner.end_session()
        teacher = life.net()


def test_a_teacher_of_more_classes_than_are_known_says_what_it_can():
    life = Life("lwf")
    net, teacher = life.net(), life.net()
    life.learner.stage.resize(2)
    session(life, 0, 1)
    net.known = teacher.known = 2
    sgd = Sgd(net, life)
    for x, y in life.steps(2):
        d = distilled(net, teacher, x, 1.0, 2.0)
        sgd.step(net.gradient(x, net.cross_entropy(x, y) + d))
    assert_close(life, net)


def test_the_distillation_of_the_reference_is_a_gradient():
    life = Life("lwf")
    net, teacher = life.net(), life.net()
    teacher.p = teacher.p + life.rng.normal(0, 0.1, len(net.p))
    x = life.rng.normal(0, 1, (4, LATENT))

    def loss(p):
        other = Net(p, net.known)
        q, p = (softmax(m.logits(x) / 2.0) for m in (teacher, other))
        return 3.0 * (q * np.log(q / p)).sum() / len(x)

    g = net.gradient(x, distilled(net, teacher, x, 3.0, 2.0))
    step = life.rng.normal(0, 1e-5, len(net.p))
    assert loss(net.p + step) - loss(net.p - step) == pytest.approx(2 * g @ step, rel=1e-4)


@pytest.mark.parametrize("cosine", [0, 1])
@pytest.mark.parametrize("count", [1, 13, 16])  # few-shot; not whole batches; whole ones
def test_ncm_predicts_the_nearest_mean(cosine, count):
    life = Life("ncm", strategy_options={"cosine": cosine}, classes=6, batch=8)
    seen = []
    for labels in ((0, 1), (4,), (1, 2)):  # class 3 and 5 have no sample
        session(life, *labels, count=count)
        seen += life.learner.current_slots()
        learn(life, epochs=2)
        net = life.net()
        h, y = net.features(life.x[seen]), life.y[seen]
        classes = sorted(set(y))
        means = np.array([h[y == c].mean(axis=0) for c in classes])
        x = life.rng.normal(1, 1, (300, LATENT))
        features = net.features(x)
        features = features[(features > 0).any(axis=1)]
        if cosine:
            near = features @ (means / np.linalg.norm(means, axis=1)[:, None]).T
        else:
            near = -np.square(features[:, None] - means).sum(axis=2)
        logits = features @ net.parts()[2].T + net.parts()[3]
        clear = np.diff(np.sort(near, axis=1)[:, -2:]).ravel() > 1e-4
        assert clear.sum() > 150
        answers = logits.argmax(axis=1)[clear]
        assert (answers == np.array(classes)[near.argmax(axis=1)][clear]).all()
        assert len(set(answers)) > 1


def test_ncm_goes_on_from_means_in_the_model_file():
    life = Life("ncm", strategy_options={"past": 20})
    before = life.net()
    session(life, 1, count=5)
    learn(life)
    after = life.net()
    w, b = before.parts()[2:]
    mean = (w[1] / 2 * 20 + after.features(life.x[:5]).sum(axis=0)) / 25
    np.testing.assert_allclose(after.parts()[2][1], 2 * mean, rtol=1e-5)
    np.testing.assert_allclose(after.parts()[3][1], -mean @ mean, rtol=1e-5)
    np.testing.assert_array_equal(after.parts()[2][0], w[0])


@pytest.mark.parametrize("shrinkage", [0.001, 0.1, 1])
def test_slda_is_the_discriminant_of_one_covariance(shrinkage):
    life = Life("slda", strategy_options={"shrinkage": shrinkage}, batch=8)
    seen = []
    for labels in ((0, 1), (4,), (1, 2)):
        session(life, *labels, count=13)
        seen += life.learner.current_slots()
        learn(life)
        net = life.net()
        h, y = net.features(life.x[seen]), life.y[seen]
        classes = sorted(set(y))
        means = np.array([h[y == c].mean(axis=0) for c in classes])
        apart = h - means[np.searchsorted(classes, y)]
        covariance = apart.T @ apart / len(h)
        ridge = np.trace(covariance) / HIDDEN * np.eye(HIDDEN)
        inverse = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * ridge)
        w, b = net.parts()[2:]
        weights = means @ inverse
        biases = -(weights * means).sum(1) / 2
        x = net.features(life.x[:100])
        logits, expected = x @ w[classes].T + b[classes], x @ weights.T + biases
        # what is the same for all classes decides nothing
        logits, expected = (z - z.mean(axis=1, keepdims=True) for z in (logits, expected))
        np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())


def test_slda_of_one_sample_a_class_is_the_nearest_mean():
    life = Life("slda")
    session(life, 0, 1, 2, 3, count=1)
    learn(life)
    net = life.net()
    h = net.features(life.x[:4])
    inputs = life.rng.normal(1, 1, (50, LATENT))
    logits = net.logits(inputs)
    near = -np.square(net.features(inputs)[:, None] - h).sum(axis=2) / 2
    logits, near = (z - z.mean(axis=1, keepdims=True) for z in (logits[:, :4], near))
    np.testing.assert_allclose(logits, near, atol=1e-4 * np.abs(near).max())


def test_slda_that_does_not_fit_is_refused_with_its_number():
    with pytest.raises(FitError, match="needs .* bytes, 4000 are available") as error:
        Life("slda", available=4000, micro=8)
    small = Life("slda", available=error.value.needed, micro=8)
    assert small.learner.planned_bytes == error.value.needed
    assert error.value.needed - Life("ncm").learner.planned_bytes >= 4 * HIDDEN * HIDDEN


@pytest.mark.parametrize("name", ["cwr", "lwf", "ncm", "replay"])
def test_classes_of_the_model_file_can_count_as_unknown(name):
    life = Life(name, known=2)
    assert life.learner.stage.known == 2
    fresh = Life(name).net().parts()[2][2]  # what the file has for class 2
    session(life, 2)
    assert life.learner.stage.known == 3
    if name == "replay":
        np.testing.assert_array_equal(life.net().parts()[2][2], fresh)
    learn(life)
    if name == "lwf":
        assert life.learner.strategy._old == 2
    if name == "cwr":
        assert list(life.learner.strategy._past) == [100, 100, 10, 0, 0]
    for wrong in (0, 4, 1.5):
        with pytest.raises(ModelError, match="expected 1 to 3 known classes, .* got"):
            Life(name, known=wrong)


@pytest.mark.parametrize("name", strategies.NAMES)
def test_a_class_can_come_while_a_run_goes_on(name):
    life = Life(name)
    session(life, 0, 1, count=16)
    steps = life.steps(2)
    next(steps)
    life.add(4, 5)
    for _ in steps:
        pass
    assert life.learner.stage.known == 5
    assert np.isfinite(life.net().p).all()


def test_unknown_strategies_and_options_are_refused():
    with pytest.raises(DataError, match="expected a strategy of ar1 or .*, got magic"):
        Life("magic")
    with pytest.raises(DataError, match="it has none.*got speed"):
        Life("replay", strategy_options={"speed": 1})


@pytest.mark.parametrize("name", strategies.NAMES)
def test_every_option_is_held_to_its_range(name):
    for option, (default, least, most) in strategies.strategy_class(name).OPTIONS.items():
        assert least <= default <= most
        for wrong in (most + 1, least - 1, "1", None):
            with pytest.raises(DataError, match=option):
                Life(name, strategy_options={option: wrong})


@pytest.mark.parametrize("name", ["ncm", "slda"])
@pytest.mark.parametrize("stop", [0, 1, 2, 4])
def test_means_take_a_record_once_however_often_they_learn(name, stop):
    """Stopped after so many steps, learned anew, new ones in between: one run over all of them."""
    whole, parts = Life(name), Life(name)
    for life in (whole, parts):
        session(life, 0, 1, count=13)
    steps = parts.steps(2)
    for _ in range(stop):
        next(steps)
    for _ in range(2):
        for _ in parts.steps(2):
            pass
    for life in (whole, parts):
        session(life, 1, 4, count=7)
    learn(whole)
    learn(parts)
    assert list(parts.learner.strategy._counts) == [13, 20, 0, 0, 7]
    sums = []
    for life in (whole, parts):
        strategy = life.learner.strategy
        shift = np.array(getattr(strategy, "_shift", [0] * HIDDEN))  # of what slda adds up
        added = np.array(strategy._sums).reshape(5, HIDDEN)
        sums.append(added - np.outer(strategy._counts, shift))
    np.testing.assert_allclose(sums[0], sums[1], 1e-4, 1e-3)
    x = parts.rng.normal(1, 1, (100, LATENT))
    answers = [life.net().logits(x).argmax(axis=1) for life in (whole, parts)]
    assert (answers[0] == answers[1]).mean() > 0.98


@pytest.mark.parametrize("name", ["ncm", "slda"])
def test_a_means_run_with_slots_out_of_order_takes_each_once(name):
    """Freed slots come back in any order: what came last may lie first."""
    life = Life(name)
    session(life, 0, 1, count=20)
    for slot in life.rng.permutation(40)[:25].tolist():
        life.store.delete(slot)
    session(life, 2, count=20)
    slots = sorted(range(200), key=lambda slot: life.store.sequence(slot))
    slots = [slot for slot in slots if life.store.labels[slot] != 255]
    expected = [list(life.y[slots]).count(c) for c in range(5)]
    draws = []
    steps = life.learner.steps(1)
    for _ in steps:
        draws += list(life.learner.slots)
        mark = life.learner.strategy._once._mark
        at = min(len(draws), len(slots)) - 1
        assert mark[0] * 65536 + mark[1] == life.store.sequence(slots[at])
    assert draws[: len(slots)] == slots
    assert list(life.learner.strategy._counts) == expected


@pytest.mark.parametrize("name", ["ncm", "slda"])
def test_a_store_that_was_formatted_is_taken_in_again(name):
    life = Life(name)
    session(life, 0, count=20)
    for _ in life.steps():
        pass
    for slot in range(20):
        life.store.delete(slot)
    life.store.next_sequence = 1
    session(life, 1, count=5)
    for _ in life.steps():
        pass
    assert list(life.learner.strategy._counts) == [20, 5, 0, 0, 0]
