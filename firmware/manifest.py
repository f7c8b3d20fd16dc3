# What every firmware carries as frozen bytecode: the device library, the board module, the boot.
include("../device_lib/manifest.py")
freeze("ports/common/frozen", ("_boot.py", "engram_board.py"), opt=2)
