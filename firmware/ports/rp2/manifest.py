# Frozen into a board of the rp2 port: the port's own module rp2, asyncio as the port has it, and
# what every board of ours has. The boot that mounts the file system is ours, not the port's.
freeze("$(PORT_DIR)/modules", ("rp2.py",))
include("$(MPY_DIR)/extmod/asyncio")
include("../../manifest.py")
