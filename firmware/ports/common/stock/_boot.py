# Runs before anything else: the file system, formatted if need be, over all of the data flash, as
# the ports for real chips have it.
import sys

import vfs
from _flash import device

try:
    fs = vfs.VfsLfs2(device, progsize=256)
except OSError:
    vfs.VfsLfs2.mkfs(device, progsize=256)
    fs = vfs.VfsLfs2(device, progsize=256)
vfs.mount(fs, "/")
sys.path.append("/lib")
del sys.modules["_flash"]

del sys, vfs, device, fs
