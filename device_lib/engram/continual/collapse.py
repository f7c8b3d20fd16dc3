"""Tells a code that carries nothing, at the end of a learning run.

A unit of a variational auto-encoder is dead where its distribution is the standard normal one,
whatever the sample: what it gives the decoder is noise. Where all units are, the posterior has
collapsed (Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016). The kernels
of the divergence have its size in each unit.
"""

LEAST = 0.05  # nats, a fourteenth of a bit: a unit with less, in the mean of a mini-batch, is dead


def divergences(learner):
    """The divergence of each unit of the code, nats, in the mean of the last mini-batch; [] where
    the model has no such code."""
    parts = {"kl_mean": [], "kl_spread": []}
    for name, (kind, _, _) in learner.outputs.items():
        if kind in parts:
            parts[kind].extend(learner.stage.stats[name][1:])
    return [max(0.0, mean + spread) / learner.batch  # float32 may round it below 0
            for mean, spread in zip(parts["kl_mean"], parts["kl_spread"])]


def warning(learner):
    """None, or what is wrong with the code, in words."""
    values = divergences(learner)
    dead = [i for i, value in enumerate(values) if value < LEAST]
    if not dead:
        return None
    if len(dead) == len(values):
        return (
            "expected a code that carries something, got a divergence of %.2f in all %d units: "
            "the decoder does without it; where longer learning changes nothing, make the model "
            "with a lower --beta, or a longer --warm-up" % (max(values), len(values))
        )
    return (
        "expected %d units of the code that carry something, got %d with a divergence of %.2f "
        "(%s): they are dead; fewer units are enough (--code %d), or make the model with a lower "
        "--beta" % (
            len(values), len(dead), max([values[i] for i in dead]),
            ", ".join([str(i) for i in dead]), len(values) - len(dead),
        )
    )
