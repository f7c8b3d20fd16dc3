"""The numbers in a record: its experience, its label, and the group that it counts in; and the
first ones in a saved state."""

from binascii import crc32

# Labels that are no classes: those of store.format.
DEAD = 255  # of a slot that holds no record
NO_CLASS = 254  # of a record with targets alone

_NUMBERS = 65536  # experience numbers that a record has room for
PAST = _NUMBERS - 1  # of records that came with the model file; no experience has this number


def number_of(experience):
    """The number that records of an experience have in the store.

    Older libraries stored the experience modulo 256, so a record of experience 300 has
    the number 44. It counts as one of experience 44: an old record, which a learner at experience
    256 or later never takes for new. Up to experience 255 both numbers are the same.
    """
    return experience % _NUMBERS


def group_of(label, groups):
    """The group of a record among `groups`: its class, or the last one where it has none.

    A store of targets may hold records without a class (label NO_CLASS); whoever
    counts by class has one group more for them, or but one where no record has a class.
    """
    return label if label < groups else groups - 1


def next_experience(store, experience):
    """The experience that follows one that ended; store: the learner's, or None.

    From experience 65,536 on numbers come again. An experience whose number a record in the store
    still has is passed over, so that a record of the current experience is never taken for an old
    one, nor an old one for it. One is always left: a store has fewer slots than there are numbers.
    PAST is passed over where the model file's records have it.
    """
    experience += 1
    while experience >= PAST and store is not None and _in_use(store, number_of(experience)):
        experience += 1
    return experience


def _in_use(store, number):
    for slot, found in enumerate(store.experiences):
        if found == number and store.labels[slot] != DEAD:
            return True
    return False


# Of a saved state: experience, kind, steps, three of the generator, classes known, spare.
INTS = 8


def kind_of(learner):
    """A number for the strategy of a learner, in its saved states; 0 in those of before 0.2."""
    return crc32(learner.strategy_name.encode()) & 0x3FFFFFFF or 1
