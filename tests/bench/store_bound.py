"""Least write amplification of a fair sample in flash whose units are worn evenly.

C slots, of which N = f C hold records; every unit is erased once a round, so that erases differ by
1 at most. Between two of its erases a unit takes what it has slots for, so in a round A records
are admitted and M move with A + M <= C.

A record is as likely to be in the store as any other that was ever seen, N / t after t of them. It
is admitted no less likely than that: A >= integral of N / t = N ln(t1 / t0) over a round from t0
to t1. Of the records at the start of the round the part t0 / t1 >= exp(-A / N) has to survive it,
and the unit of each is erased in it: M >= N exp(-A / N). With a = A / N

    a + exp(-a) <= 1 / f,    write amplification (A + M) / A >= 1 + exp(-a) / a

(convex in a: rounds of different length do no better). It is reached if only survivors move, once
a round, and no slot is left empty. The store never has fewer than N records in this; if it may
have more and fewer, f on average, a round can do with less: see swinging().
"""

from math import exp, log


def least(fill):
    """Write amplification of a store that always holds `fill` of its slots, erases within 1."""
    low, high = 0.0, 1 / fill
    while high - low > 1e-12:
        a = (low + high) / 2
        low, high = (a, high) if a + exp(-a) < 1 / fill else (low, a)
    return 1 / (fill * low)


def swinging(share):
    """(write amplification, least fill, mean fill) of a round that `kept` of the records survive.

    First the empty units are filled, while nothing is dropped, from the least fill n up to all;
    then each unit that is left is dropped or moves, a part `kept` of them, and so many of the
    records of this round are dropped, which stay in the flash until the next one, that all are
    as likely to be there; at the end n is left: n = kept (1 - n ln kept). The best schedule that
    is known here, not shown to be the best there is.
    """
    lost = -log(share)
    n = share / (1 - share * lost)
    moved = n * share
    filling = (1 - n) * (1 + n) / 2
    # fill u (1 - n ln u) while the part u of the records from before falls from 1 to `kept`
    area = (1 - share**2) / 2 + n * ((1 - share**2) / 4 - share**2 / 2 * lost)
    dropping = n * area  # over the n (1 - kept) records that are admitted then
    return 1 / (1 - moved), n, (filling + dropping) / (1 - moved)


def least_swinging(fill):
    """(write amplification, least fill) of swinging() with a mean fill."""
    low, high = 0.05, 0.99
    while high - low > 1e-12:
        share = (low + high) / 2
        low, high = (share, high) if swinging(share)[2] < fill else (low, share)
    return swinging(low)[:2]
