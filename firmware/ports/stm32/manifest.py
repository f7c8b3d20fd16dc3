# Frozen into a board of the stm32 port: what the board freezes by itself, where there is flash for
# it, then what every board of ours has, with the boot that mounts the file system.
options.defaults(board="", short=False)
if not options.short:
    include(options.board)
include("../../manifest.py", short=options.short)
