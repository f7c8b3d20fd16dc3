# Frozen into a board of the rp2 port: the port's own module rp2, asyncio as the port has it, and
# what every board of ours has. The boot that mounts the file system is ours, not the port's.
# drivers=True, networking=True: what the port freezes from micropython-lib, on boards with a radio
# more of it, where the tree has that repository.
options.defaults(drivers=False, networking=False, short=False)
freeze("$(PORT_DIR)/modules", ("rp2.py",), opt=3)
include("$(MPY_DIR)/extmod/asyncio")
if options.drivers:
    for name in ("onewire", "ds18x20", "dht", "neopixel"):
        require(name)
if options.networking:
    require("bundle-networking")
    require("aioble")
include("../../manifest.py", short=options.short)
