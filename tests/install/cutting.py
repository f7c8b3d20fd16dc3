"""An install by the installer itself, and lines to a board that are cut in the midst of one."""

from engram_host import boards
from engram_host.errors import PortError
from engram_host.install import installer
from engram_host.progress import Silent


def install(line, **wishes):
    known = boards.load(line.name).facts
    return installer.install(line, installer.Wishes(board=known, **wishes), Silent())


class Cut:
    """A transport that goes away after so many bytes to the board.

    cut: called at that instant, once: what is done to the board.
    """

    def __init__(self, line, most, cut=lambda: None):
        self.line, self.left, self.name = line, most, line.name
        self.cut, self.gone = cut, False

    def read(self, timeout_s):
        return self.line.read(timeout_s)

    def worked(self):
        return self.line.worked()

    def write(self, data):
        if not self.gone and self.left < len(data):
            self.gone = True
            self.cut()
        if self.gone:
            raise PortError("the line was cut")
        self.left -= len(data)
        self.line.write(data)
