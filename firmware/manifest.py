# What every firmware carries as frozen bytecode: the device library, the board module, the boot.
# python_kernels=True: the kernels in Python too, beside those in C.
options.defaults(python_kernels=False)
include("../device_lib/manifest.py", python_kernels=options.python_kernels)
freeze("ports/common/frozen", ("_boot.py", "engram_board.py"), opt=2)
