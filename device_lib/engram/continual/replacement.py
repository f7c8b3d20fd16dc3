"""What stays in the replay store when an experience ends.

A policy is a function (store, rng, budget, current, seen) -> seen: it deletes records until
at most `budget` are left. `current` is the experience byte of the newest records, `seen` how
many records the stream has brought before them; the new total is returned.
"""

from .sampling import DEAD


def _slots(store, wanted):
    """Slots whose (label, experience) satisfy wanted(label, experience)."""
    labels, experiences = store.labels, store.experiences
    return [
        s
        for s in range(len(labels))
        if labels[s] != DEAD and wanted(labels[s], experiences[s])
    ]


def balanced(store, rng, budget, current, seen):
    """Random records of the largest class go first: every class keeps an equal share.

    Class-balanced reservoir in the sense of Chrysakis and Moens (ICML 2020), applied once
    an experience: the largest class gives way.
    """
    seen += len(_slots(store, lambda label, experience: experience == current))
    counts = {}
    for label in store.labels:
        if label != DEAD:
            counts[label] = counts.get(label, 0) + 1
    excess = {}
    for _ in range(len(store) - budget):
        largest = max(sorted(counts), key=lambda c: counts[c])
        counts[largest] -= 1
        excess[largest] = excess.get(largest, 0) + 1
    for label in sorted(excess):
        slots = _slots(store, lambda candidate, experience: candidate == label)
        rng.shuffle(slots, len(slots))
        for slot in slots[: excess[label]]:
            store.delete(slot)
    return seen


def reservoir(store, rng, budget, current, seen):
    """Every record of the stream is kept with the same probability (Vitter's algorithm R)."""
    kept = _slots(store, lambda label, experience: experience != current)
    rng.shuffle(kept, len(kept))
    while len(kept) > budget:  # the budget was larger before
        store.delete(kept.pop())
    for slot in _slots(store, lambda label, experience: experience == current):
        seen += 1
        if len(kept) < budget:
            kept.append(slot)
            continue
        at = rng.below(seen)
        if at < budget:
            store.delete(kept[at])
            kept[at] = slot
        else:
            store.delete(slot)
    return seen


POLICIES = {"balanced": balanced, "reservoir": reservoir}
