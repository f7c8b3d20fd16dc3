# Frozen into a board of the samd port: what the port freezes by itself but for the boot, which is
# ours, then Engram.
options.defaults(board="", short=False)
include("$(MPY_DIR)/extmod/asyncio")
for name in ("onewire", "ds18x20", "dht"):
    require(name)
include("../../manifest.py", short=options.short)
freeze("../common/driver", opt=2)
freeze(".", ("_board_flash.py",), opt=2)
