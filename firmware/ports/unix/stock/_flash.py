# The data flash, for the boot.
from _board import FS_BYTES, STORE_BYTES, Flash

device = Flash(0, FS_BYTES + STORE_BYTES)
