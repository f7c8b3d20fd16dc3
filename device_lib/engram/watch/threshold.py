"""A threshold for the mean score of a window, from scores of normal samples and a rate.

The rate is the share of normal windows, one per sample, whose mean is above the threshold. Where
that share of the means at hand is TOO_FEW or more, it is read off: a quantile. Else the tail is
extrapolated: what the means have above their 90 % quantile u is taken as exponential, so that

    P(mean > t) = 0.1 exp(-(t - u) / b),  b = mean of (mean - u) above u

(peaks over threshold, Pickands 1975, with a shape of 0). Means of overlapping windows depend on
each other: alarms come in runs, and fewer begin than the rate says.
"""

from array import array
from math import log

from ..backend import kernels
from ..errors import DataError

TOO_FEW = 10  # means above a threshold, for a quantile
_TAIL = 0.1
_LEAST = 20  # means, for any threshold
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "year": 31557600}
_MOST_RATE = 0.5


def rate_of(false_alarms, every=None):
    """The share of normal samples that may be taken for others, from a number, or a text as
    "1/day" with the seconds from sample to sample, `every`. Raises DataError."""
    rate = false_alarms
    if isinstance(false_alarms, str):
        count, _, period = false_alarms.partition("/")
        try:
            rate = float(count) / _SECONDS[period.strip()]
        except (KeyError, ValueError):
            raise DataError(
                "expected false alarms as a share of samples, 0.001, or as 1/day (%s), got %r"
                % (", ".join(sorted(_SECONDS)), false_alarms)
            )
        if not every or every < 0:
            raise DataError(
                "expected the seconds from sample to sample for %r, got %r; say every="
                % (false_alarms, every)
            )
        rate *= every
    if not isinstance(rate, (int, float)) or not 0 < rate < _MOST_RATE:
        raise DataError(
            "expected false alarms of more than 0 and less than %g of all samples, got %r"
            % (_MOST_RATE, rate)
        )
    return rate


def window_means(scores, window):
    """array('f') of the means of each `window` scores that follow one another."""
    out = array("f", range(max(0, len(scores) - window + 1)))
    whole, means = memoryview(scores), memoryview(out)
    for i in range(len(out)):
        kernels.global_avgpool_fwd(means[i : i + 1], whole[i : i + window], 1, window, 1)
    return out


def check_enough(means):
    """Raises DataError where there are too few means for a threshold."""
    if means < _LEAST:
        raise DataError(
            "expected %d windows of normal samples or more, got %d; observe() more, or take a "
            "smaller window" % (_LEAST, max(0, means))
        )


class Threshold:
    """means: array('f') of window means of normal samples, which is sorted. rate: as rate_of().

    .value     above it an alarm begins; .lower: below it, it ends: half-way to the median
    .how       "quantile" or "tail"; .extrapolated: whether it is beyond what was seen
    .means     how many there were

    Raises DataError where there are too few, or one is not finite.
    """

    def __init__(self, means, rate):
        self.means, self.rate = len(means), rate
        check_enough(len(means))
        if kernels.check_finite(means):
            raise DataError(
                "expected finite scores of the stored samples, got NaN or infinity: the model is "
                "ruined; load() the last saved state"
            )
        _sort(means)
        if rate >= _TAIL or rate * len(means) >= TOO_FEW:
            self.how, self.value = "quantile", _quantile(means, 1 - rate)
        else:
            self.how, self.value = "tail", _tail(means, rate)
        self.extrapolated = self.value > means[-1]
        self.lower = (self.value + _quantile(means, 0.5)) / 2


def _tail(means, rate):
    u, total, count = _quantile(means, 1 - _TAIL), 0.0, 0
    for mean in means:
        if mean > u:
            total += mean - u
            count += 1
    return u + (total / count if count else 0.0) * log(_TAIL / rate)


def _quantile(means, share):
    """Between two of sorted means, in proportion."""
    at = share * (len(means) - 1)
    i = min(int(at), len(means) - 2)
    return means[i] + (at - i) * (means[i + 1] - means[i])


def _sort(values):
    """Sorts an array in place (Shell, with Ciura's gaps): a list of floats takes much heap."""
    n = len(values)
    for gap in (1750, 701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(gap, n):
            value, j = values[i], i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
