# What every firmware carries as frozen bytecode: the device library, the board module, the boot.
# lines: whether there is room for those that tracebacks name.
options.defaults(lines=False)
include("../device_lib/manifest.py", lines=options.lines)
freeze("ports/common/frozen", ("_boot.py", "engram_board.py"), opt=3)
