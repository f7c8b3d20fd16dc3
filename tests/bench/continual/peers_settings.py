"""What both sides of the comparison with Avalanche share: seeds, and the settings tried.

choose.py chooses ours from them, peers_avalanche.py Avalanche's, by the mean accuracy over
TUNING_SEEDS; the table shows SEEDS. Imports nothing: each side has a Python of its own.
"""

TUNING_SEEDS = (1, 2)
SEEDS = (11, 12, 13, 14, 15)
BUFFERS = (100, 500)
BATCH, MOMENTUM = 16, 0.9
REPLAYING = ("replay", "ar1")

# strategy -> (epochs, learning rate, a number of its own): lambda of ewc, alpha of lwf. That of
# replay and ar1 is Avalanche's alone: new samples of a batch of 16, or 16 with as many old ones on
# top, as is its own default. Ours are the rows of 2: what a batch is made of follows from the
# classes there are, and is never more steps.
_RATES = (0.003, 0.001, 0.0003)
SETTINGS = {
    "finetune": [(e, r, None) for e in (1, 3) for r in (*_RATES, 0.0001)],
    "ewc": [(e, r, n) for e in (1, 3) for r in (0.001, 0.0003) for n in (10, 100, 300, 1000)],
    "lwf": [(e, r, n) for e in (1, 3) for r in _RATES for n in (1, 8, 32)],
    "cwr": [(e, r, None) for e in (1, 3) for r in (0.03, 0.01, *_RATES[:2])],
    "slda": [(1, 0, None)],
    "replay": [*((3, r, 2) for r in (0.03, 0.01, 0.003)), (10, 0.01, 16)],
    "ar1": [*((3, r, 2) for r in (0.03, 0.01, 0.003)), (8, 0.01, 16)],
}
