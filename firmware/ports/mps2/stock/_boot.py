# Runs before anything else: the file system, formatted if need be, over all of the data flash, as
# the ports for real chips have it.
import sys

import vfs
from mps2 import Flash

device = Flash()
try:
    fs = vfs.VfsLfs2(device, progsize=256)
except OSError:
    vfs.VfsLfs2.mkfs(device, progsize=256)
    fs = vfs.VfsLfs2(device, progsize=256)
vfs.mount(fs, "/")
sys.path.append("/lib")

del sys, vfs, Flash, device, fs
