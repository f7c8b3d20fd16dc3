# Frozen into a board of the nrf port: what the board freezes by itself, then Engram. The port
# itself mounts the file system, at /flash.
options.defaults(board="", short=False)
include(options.board)
include("../../../device_lib/manifest.py", python_kernels=False, short=options.short)
freeze("../common/frozen", ("engram_board.py",), opt=2)
freeze("../common/driver", opt=2)
freeze(".", ("_board_flash.py",), opt=2)
