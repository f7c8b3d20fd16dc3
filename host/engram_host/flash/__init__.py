"""`engram flash`: a firmware file onto a real board, by the tool that its board.toml names.

image     what a firmware file says of itself: addresses, family, chip, Engram's mark
fit       whether that is a firmware for this board
moves     the files of a board that it cannot see
volume    the USB drive that a UF2 boot loader shows
tool      another program, run with a time limit
ways      a way of flashing -> its steps
flasher   the steps in their order, and whether the board then says what it should
"""
