"""The record of a q8 tensor: int32 numbers that go with its values q, of which each means
q * 2**-e.

    e           the exponent
    largest     the largest magnitude since the record was cleared, in units of 2**-(e + 8)
    range       the mean of the largest magnitudes of steps, in the same units; 0: not known yet
    saturated   values that were clamped since then
    counted     all values since then
    random      state of the generator of a weight tensor's rounding, not 0
"""

EXPONENT, LARGEST, RANGE, SATURATED, COUNTED, RANDOM = range(6)
RECORD = 6  # entries
MOST_EXPONENT = 40
MOST_NOTED = (1 << 30) - 1  # of a magnitude, of a count
BIAS_EXPONENT = 24  # of every bias, an int32

# How a step rounds an update of weights, an entry of its rates; MEASURE: it takes none.
STOCHASTIC, NEAREST, FLOOR, MEASURE = range(4)
