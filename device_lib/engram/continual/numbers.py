"""The numbers in a record: its session, its label, and the group that it counts in; and the
first ones in a saved state."""

from binascii import crc32

# Labels that are no classes: those of store.format.
DEAD = 255  # of a slot that holds no record
NO_CLASS = 254  # of a record with targets alone

_NUMBERS = 65536  # session numbers that a record has room for
PAST = _NUMBERS - 1  # of records that came with the model file; no session has this number


def number_of(session):
    """The number that records of a session have in the store.

    Older libraries stored the session modulo 256, so a record of session 300 has the number 44. It
    counts as one of session 44: an old record, which a learner at session 256 or later never takes
    for new. Up to session 255 both numbers are the same.
    """
    return session % _NUMBERS


def group_of(label, groups):
    """The group of a record among `groups`: its class, or the last one where it has none.

    A store of targets may hold records without a class (label NO_CLASS); whoever
    counts by class has one group more for them, or but one where no record has a class.
    """
    return label if label < groups else groups - 1


def next_session(store, session):
    """The session that follows one that ended; store: the learner's, or None.

    From session 65,536 on numbers come again. A session whose number a record in the store
    still has is passed over, so that a record of the current session is never taken for an old
    one, nor an old one for it. One is always left: a store has fewer slots than there are numbers.
    PAST is passed over where the model file's records have it.
    """
    session += 1
    while session >= PAST and store is not None and _in_use(store, number_of(session)):
        session += 1
    return session


def _in_use(store, number):
    for slot, session in enumerate(store.sessions):
        if session == number and store.labels[slot] != DEAD:
            return True
    return False


# Of a saved state: session, kind, steps, three of the generator, classes known, samples matched
# with (0 in those of older libraries).
INTS = 8


def kind_of(learner):
    """A number for the strategy of a learner, in its saved states; 0 in those of before 0.2."""
    return crc32(learner.strategy_name.encode()) & 0x3FFFFFFF or 1
