"""Tests that another one stands for in every run: `make test-boards` runs them too.

A pattern is of a test's path below tests/, its name and its parameters.
"""

PATTERNS = (
    # the same sessions run on the unix board
    "host/test_score_adapt.py::test_a_virtual_board_learns_the_same_blocks[[]qemu_m4f]",
    "host/test_stream_kill.py::*[[]qemu_m4f]",
    "install/test_install_mip.py::test_a_board_has_the_files_of_an_install[[]small]",
    # firmware and native modules are of one C source: one board per kind of code
    "firmware/test_natmod.py::test_a_module_gives_the_same_bits[[]qemu_m0p-armv6m]",
    "firmware/test_natmod.py::*[[]armv7m*]",
    "firmware/test_natmod.py::*[[]armv7emdp*]",
    "fleet/test_fleet.py::test_device_tests[[]qemu_m33]",
    "parity/test_parity.py::*[[]kernels_check-qemu_m3]",
    "parity/test_parity.py::test_c_kernels_give_the_same_bits_on_every_host[[]qemu_m3]",
    # networks learn on the unix board, and the models of the parity checks on qemu_m4f
    "learn/test_networks_boards.py::*[[]qemu_m4f*]",
    "parity/test_planned_memory.py::*_computed_twice[[]nodes-q8]",
)
