"""Data sets of examples and benchmarks: each from a folder, or from its official address.

The digits lie in this package. Every other set is looked for in the folder that ENGRAM_DATA
names, then in the cache, then fetched from where its authors keep it (`place.py`).
"""

from .fan import Vibrations, fan_vibration
from .fashion import fashion_mnist
from .omniglot import Characters, omniglot_small
from .place import DataUnavailable
from .scanned_digits import (
    DIGITS_CLASSES,
    DIGITS_SHAPE,
    DIGITS_SPLIT_SEED,
    DIGITS_TEST_PER_CLASS,
    digits,
)
from .speech import Words, speech_commands
from .splits import Dataset, draw_per_class, rows_per_class, split_by_class
from .spoken_digits import Clips, fsdd

__all__ = [
    "Characters",
    "Clips",
    "DIGITS_CLASSES",
    "DIGITS_SHAPE",
    "DIGITS_SPLIT_SEED",
    "DIGITS_TEST_PER_CLASS",
    "DataUnavailable",
    "Dataset",
    "Vibrations",
    "Words",
    "digits",
    "draw_per_class",
    "fan_vibration",
    "fashion_mnist",
    "fsdd",
    "omniglot_small",
    "rows_per_class",
    "speech_commands",
    "split_by_class",
]
