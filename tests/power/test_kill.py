"""The emulated board is killed at random instants of real sessions; flash is all that stays.

`make test-kill KILLS=500` does the same for longer.
"""

import pytest
from killing import BAD, MODEL, Campaign
from ledger import Ledger

from engram_host import api, virtual

SEED = 1


def collected_and_saved(campaign):
    """Whether the campaign came to what is rare: a busy computer kills a session early."""
    return campaign.figures["saves"] > 0 and campaign.figures["collections"] > 0


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "number_format", "kills"), [("qemu_m4f", "f32", 15), ("unix", "q8", 15)]
)
def test_nothing_acknowledged_is_lost(tmp_path, monkeypatch, board, number_format, kills):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    campaign = Campaign(tmp_path, SEED, board, number_format)
    campaign.run(kills, enough=collected_and_saved)
    figures = campaign.figures
    print(f"\n{campaign.report()}")
    assert campaign.faults == [] and not any(figures[bad] for bad in BAD)
    assert figures["kills"] >= kills
    assert figures["observed"] > kills and figures["steps"] > kills and figures["saves"] > 0
    assert figures["collections"] > 0 and len(campaign.killed_in) >= 3


@pytest.mark.board
@pytest.mark.slow
def test_a_state_that_is_not_the_saved_one_is_noticed(tmp_path, monkeypatch):
    """In the flash file and on the board, where another state than the last one was expected."""
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    campaign = Campaign(tmp_path, SEED, "unix", "q8")
    campaign.prepare()
    try:
        with api.connect("unix") as device:
            device.open(MODEL, **campaign.options)
            campaign.observe(device)
            campaign.learn(device)
            campaign.save(device)
            campaign.judge_file()
            assert campaign.faults == [] and list(campaign.saved) == [1]
            (generation, predictions), = campaign.saved.items()
            label, share = predictions[0]
            campaign.saved = {generation: [(label, share + 0.001), *predictions[1:]]}
            campaign.judge_file()
            campaign.check(device)
    finally:
        virtual.stop("unix")
    assert campaign.figures["states_lost"] == 2


def test_the_ledger_notices():
    """A record lost, a record torn, a policy that deletes too much; and nothing else."""
    ledger = Ledger("abc")
    ledger.send("de")
    assert ledger.judge("abc") == ledger.judge("abcd") == ledger.judge("abced") == (0, 0)
    assert ledger.judge("abde") == (1, 0)
    assert ledger.judge("abcx") == (0, 1)
    ledger.acknowledge()
    assert ledger.judge("abcd") == (1, 0)
    ledger.trim(3)
    assert ledger.judge("abe") == ledger.judge("abcde") == (0, 0)
    assert ledger.judge("ab") == (1, 0)
    ledger.send("f")
    ledger.acknowledge()
    assert ledger.judge("abc") == (1, 0) and ledger.judge("abcf") == (0, 0)
    ledger.trim(3)
    assert ledger.judge("fab") == (0, 0) and ledger.judge("fa") == (1, 0)
