"""``micropython -m _unix_board``: be a board on standard input and output, until they end."""

import vfs

import _board

vfs.umount("/")  # a board sees its own flash, not the files of this computer
_board.serve()
