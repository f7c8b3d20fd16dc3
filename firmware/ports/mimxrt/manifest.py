# Frozen into a board of the mimxrt port: what the port freezes by itself but for the boot, which
# is ours, then Engram.
options.defaults(board="", short=False)
include("$(MPY_DIR)/extmod/asyncio")
for name in ("onewire", "ds18x20", "dht", "bundle-networking"):
    require(name)
include("../../../device_lib/manifest.py", python_kernels=False, short=options.short)
freeze("../common/frozen", ("engram_board.py",), opt=2)
freeze("../common/driver", opt=2)
freeze(".", ("_boot.py", "_board_flash.py"), opt=2)
