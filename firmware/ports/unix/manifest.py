# Frozen into the unix board: what every board has, and the module that turns the process into one.
include("../../manifest.py", python_kernels=True)  # for tests of these
module("_unix_board.py", opt=2)
