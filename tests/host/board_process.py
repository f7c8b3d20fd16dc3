"""A board as a process: REPL, agent and library on this computer, console on stdin and stdout.

    python board_process.py DIRECTORY    its file system; the replay region starts blank
"""

import os
import sys
import threading
from pathlib import Path

from engram.store import RamFlash
from link.fake_board import BoardFacts, FakeBoard


def main(root):
    board = FakeBoard(BoardFacts(Path(root), RamFlash(96, 4096, 256)))

    def listen():
        while data := os.read(0, 65536):
            board.transport.write(data)
        board.close()

    threading.Thread(target=listen, daemon=True).start()
    while True:
        data = board.transport.read(1.0)
        while data:
            data = data[os.write(1, data) :]


main(sys.argv[1])
