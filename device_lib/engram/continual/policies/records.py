"""Choices among the records of a store: which there are, and which to delete."""

from ..numbers import DEAD, number_of

OLD = -1  # the part of records that the session did not bring


def new_and_old(learner):
    """Lists of the slots of the session that ends, and of those before it."""
    store, current = learner.store, number_of(learner.session)
    labels, sessions = store.labels, store.sessions
    live = [slot for slot in range(len(labels)) if labels[slot] != DEAD]
    new = [slot for slot in live if sessions[slot] == current]
    return new, [slot for slot in live if sessions[slot] != current]


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


def old_share(learner, brought, seen, budget):
    """Old records among `budget` of a stream, of which all are equally likely to stay.

    brought, seen: samples that the stream had brought before, and brings now.
    """
    total = brought + seen
    if total <= budget:
        return brought
    return (budget * brought + learner.rng.below(total)) // total


def parts_of(part, new, old, room, old_stay, new_stay):
    """The parts of a policy, of new and old records that share `room`.

    old_stay, new_stay: how many of them stay when the session ends; old ones go before that
    only where new ones lack room.
    """
    stay = len(old)
    if room - stay < new_stay:
        total = old_stay + new_stay
        stay = max(old_stay * min(room, total) // total, room - len(new))
        stay = min(stay, len(old))
    return [(OLD, old, stay), (part, new, max(0, room - stay))]
