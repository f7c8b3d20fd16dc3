"""Mount the file system (formatted when there is none) and make it the current directory."""

import os
import sys
import vfs

import engram_board as board


def mount():
    device = board.fs_device()
    unit = board.PROGRAM_BYTES
    try:
        fs = vfs.VfsLfs2(device, readsize=unit, progsize=unit)
    except OSError:
        vfs.VfsLfs2.mkfs(device, readsize=unit, progsize=unit)
        fs = vfs.VfsLfs2(device, readsize=unit, progsize=unit)
    vfs.mount(fs, board.FS_ROOT)
    os.chdir(board.FS_ROOT)
    sys.path.append(board.FS_ROOT)
    sys.path.append(board.FS_ROOT + "/lib")


mount()
