"""Which records there are, and which go."""

from ..numbers import DEAD, number_of


def new_and_old(learner):
    """Lists of the slots of the experience that ends, and of those before it."""
    store, current = learner.store, number_of(learner.experience)
    labels, experiences = store.labels, store.experiences
    live = [slot for slot in range(len(labels)) if labels[slot] != DEAD]
    new = [slot for slot in live if experiences[slot] == current]
    return new, [slot for slot in live if experiences[slot] != current]


def of_class(store, label):
    """List of the slots of a class."""
    return [slot for slot in range(len(store.labels)) if store.labels[slot] == label]


def counts_of(store):
    """{label: records}"""
    counts = {}
    for label in store.labels:
        if label != DEAD:
            counts[label] = counts.get(label, 0) + 1
    return counts


def excess_of(store, budget):
    """{label: records that have to go} while the largest class gives way."""
    counts, excess = counts_of(store), {}
    for _ in range(sum(counts.values()) - budget):
        largest = max(sorted(counts), key=lambda label: counts[label])
        counts[largest] -= 1
        excess[largest] = excess.get(largest, 0) + 1
    return excess


def keep_random(learner, slots, count):
    """Deletes all but `count` random ones of a list of slots, which it shuffles."""
    learner.rng.shuffle(slots, len(slots))
    for slot in slots[count:]:
        learner.store.delete(slot)
