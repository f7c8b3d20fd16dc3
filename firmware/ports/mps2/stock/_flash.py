# The data flash, for the boot.
from mps2 import Flash

device = Flash()
