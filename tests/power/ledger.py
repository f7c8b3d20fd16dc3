"""What a board has acknowledged, and what its flash may therefore hold after a power cut."""


class Ledger:
    """Records by content; each is there once at most.

    .certain    acknowledged: must be there
    .doubtful   a policy may have deleted it; of these at least `.at_least` are there
    .underway   sent, not acknowledged: there or not, but whole
    """

    def __init__(self, records=()):
        self.found(records)

    def send(self, records):
        self.underway = set(records)

    def acknowledge(self):
        self.certain |= self.underway
        self.underway = set()

    def trim(self, budget):
        """A policy starts to delete what is beyond the budget, which records is its choice."""
        self.at_least = min(budget, self.at_least + len(self.certain))
        self.doubtful |= self.certain
        self.certain = set()

    def judge(self, records):
        """(lost, torn): how many acknowledged records are missing, how many are not as sent."""
        records = set(records)
        lost = len(self.certain - records)
        lost += max(0, self.at_least - len(records & self.doubtful))
        torn = len(records - self.certain - self.doubtful - self.underway)
        return lost, torn

    def found(self, records):
        """From here on these are what is there."""
        self.certain = set(records)
        self.doubtful, self.underway, self.at_least = set(), set(), 0
