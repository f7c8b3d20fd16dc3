# Frozen into a board of the rp2 port: the port's own module rp2, asyncio as the port has it, and
# what every board of ours has. The boot that mounts the file system is ours, not the port's.
freeze("$(PORT_DIR)/modules", ("rp2.py",), opt=3)
include("$(MPY_DIR)/extmod/asyncio")
include("../../manifest.py", short=True)  # the port leaves 640 KB for the program
