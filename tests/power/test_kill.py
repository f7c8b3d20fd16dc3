"""The emulated board is killed at random instants of real sessions; flash is all that stays.

`make test-kill KILLS=500` does the same for longer.
"""

import pytest
from killing import BAD, Campaign
from ledger import Ledger

KILLS = 30
SEED = 1


@pytest.mark.board
@pytest.mark.slow
def test_nothing_acknowledged_is_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("ENGRAM_STATE", str(tmp_path))
    campaign = Campaign(tmp_path, SEED)
    campaign.run(KILLS)
    figures = campaign.figures
    print(f"\n{campaign.report()}")
    assert campaign.faults == [] and not any(figures[bad] for bad in BAD)
    assert figures["kills"] == KILLS
    assert figures["observed"] > KILLS and figures["steps"] > KILLS and figures["saves"] > 0
    assert figures["collections"] > 0 and len(campaign.killed_in) >= 3


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
