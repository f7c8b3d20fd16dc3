"""What a board's three phase pins show."""


class Pins:
    """Three pins; .shown is the code after each change, in the order of time."""

    def __init__(self):
        self.level, self.shown = [0, 0, 0], []

    def pin(self, line):
        def write(value):
            self.level[line] = value
            self.shown.append(sum(bit << i for i, bit in enumerate(self.level)))

        return write

    def lines(self):
        return [self.pin(line) for line in range(3)]

    def codes(self):
        """Codes after all three pins were written."""
        return self.shown[2::3]
