"""The exceptions of the device library, as one tree.

    EngramError
    ├── DataError       a sample, label or data file is not what the model expects
    ├── ModelError      a model file is truncated, of another version, or inconsistent
    ├── FitError        the model does not fit the memory it was given
    ├── StoreError      the flash region is too small, foreign, full or damaged
    ├── DivergedError   a learning run ruins what was learned
    ├── WireError       a frame on the serial link is not valid
    └── CommandError    the agent cannot do what it was asked to do

Every message says what was expected, what it got, and what to do about it.
"""


class EngramError(Exception):
    pass


class DataError(EngramError):
    pass


class ModelError(EngramError):
    pass


class FitError(EngramError):
    """Raised before anything is allocated.

    needed, available: bytes.
    """

    def __init__(self, what, needed, available, advice):
        super().__init__(
            "%s needs %d bytes, %d are available; %s" % (what, needed, available, advice)
        )
        self.needed = needed
        self.available = available


class StoreError(EngramError):
    pass


class DivergedError(EngramError):
    pass


class WireError(EngramError):
    pass


class CommandError(EngramError):
    pass
