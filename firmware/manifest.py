# What every firmware carries as frozen bytecode: the device library, the board module, the boot.
# python_kernels=True: the kernels in Python too, beside those in C.
# short=True: less of the library, for little flash.
options.defaults(python_kernels=False, short=False)
include(
    "../device_lib/manifest.py", python_kernels=options.python_kernels, short=options.short
)
freeze("ports/common/frozen", ("_boot.py", "engram_board.py"), opt=2)
