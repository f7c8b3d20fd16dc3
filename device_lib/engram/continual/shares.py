"""The new records of a mini-batch, and how old ones take turns: a function per composition.

Each takes a Sampler whose records are sorted, the labels of all slots, the size of a batch, and
how many records of each class the stream has brought or None. It returns how many records of a
batch are new, a float, and may set the turns of the old ones.
"""

from .numbers import group_of


def _by_class(sampler, labels, batch, brought):
    """New records for the share of their classes: two thirds of it where a class has old
    ones too, so that a few new records of what is known weigh more than many old ones."""
    fresh = set(
        [group_of(labels[sampler.order[i]], len(sampler.start) - 1) for i in range(sampler.new)]
    )
    old = set([sampler.present[i] for i in range(sampler.present_count)])
    return batch * (len(fresh) - len(fresh & old) / 3) / len(fresh | old)


def _by_record(sampler, labels, batch, brought):
    _one_group(sampler)
    return batch * sampler.new / (sampler.new + sampler.old)


def _by_stream(sampler, labels, batch, brought):
    """Old classes take turns as often as the stream has brought them."""
    weights = {}
    for i in range(sampler.present_count):
        c = sampler.present[i]
        count = sampler.start[c + 1] - sampler.start[c]
        weights[c] = max(count, brought[c] if brought else 0)
    total = sum(weights.values())
    due = dict(weights)
    for turn in range(len(sampler.present)):
        c = max(sorted(due), key=lambda c: due[c])
        sampler.present[turn] = c
        for other in due:
            due[other] += weights[other]
        due[c] -= total
    sampler.present_count = len(sampler.present)
    return batch * sampler.new / (sampler.new + total)


def _of_ar1(sampler, labels, batch, brought):
    _one_group(sampler)
    return sampler.new // max(1, (sampler.new + sampler.old) // batch)


def _one_group(sampler):
    """All old records are drawn alike."""
    for c in range(1, len(sampler.start)):
        sampler.start[c] = sampler.start[-1]
    sampler.present[0], sampler.present_count = 0, 1


SHARES = {
    "balanced": _by_class,
    "as_stored": _by_record,
    "as_seen": _by_stream,
    "ar1": _of_ar1,
}
