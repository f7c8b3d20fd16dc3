"""The one list of tests that another test stands for in every run: they get the mark `thorough`.

`make test` skips them, `make test-boards` runs them all: pytest -m thorough.
"""

from fnmatch import fnmatchcase

# Checks of the Python above the kernels: boards of one MicroPython answer as one does.
_IN_PYTHON = ("strategies", "objectives", "unlabelled", "store", "vibration", "once", "wire")

# A pattern is of a test's path below tests/, its name and its parameters.
_PATTERNS = (
    # the same sessions run on the unix board
    "host/test_demo_fan.py::test_a_virtual_board_keeps_the_promise[[]qemu_m4f-icount]",
    "host/test_score_adapt.py::test_a_virtual_board_learns_the_same_blocks[[]qemu_m4f]",
    "host/test_stream_kill.py::*[[]qemu_m4f]",
    "install/test_install_demo.py::test_install_and_demo[[]qemu*]",
    # other boards with stock firmware get the same files; an emulated Pico takes minutes
    "install/test_demo_installs.py::*[[]virtual_pico_stock]",
    "install/test_install_pico.py::*",
    "install/test_install_mip.py::test_a_board_has_the_files_of_an_install[[]small]",
    "install/test_install_mip.py::test_the_source_is_a_package_too",
    # the machine of qemu_m4f, but for one address
    "firmware/test_qemu.py::*[[]qemu_m7*]",
    "firmware/test_qemu.py::*[[]qemu_128k*]",
    # firmware and native modules are of one C source: one board per kind of code
    "firmware/test_natmod.py::test_a_module_gives_the_same_bits[[]qemu_m0p-armv6m]",
    "firmware/test_natmod.py::test_a_module_gives_the_same_bits[[]qemu_m4f-armv6m]",
    "firmware/test_natmod.py::test_the_small_module_gives_the_same_bits[[]qemu_m4f-armv7emsp]",
    "firmware/test_natmod.py::*[[]qemu_m3-armv7m]",
    "firmware/test_natmod.py::*[[]armv7m*]",
    "firmware/test_natmod.py::*[[]armv7emdp*]",
    "fleet/test_fleet.py::test_device_tests[[]qemu_m33]",
    "fleet/test_fleet.py::test_device_tests[[]virtual_pico]",
    "parity/test_parity.py::*[[]kernels_check-qemu_m3]",
    "parity/test_parity.py::test_c_kernels_give_the_same_bits_on_every_host[[]qemu_m3]",
    *(f"parity/test_parity.py::*[[]{check}_check-qemu_m3]" for check in _IN_PYTHON),
    *(f"parity/test_parity.py::*[[]{check}_check-qemu_m0p]" for check in _IN_PYTHON),
    # the firmware of the emulated Pico is of the same sources
    "firmware/test_port_builds.py::test_the_firmware_of_a_pico_*",
    "firmware/test_port_builds.py::test_nothing_of_this_computer_is_in_the_firmware",
    "firmware/test_port_builds.py::test_a_picos_firmware_is_made_of_what_the_emulated_one_runs",
    "firmware/test_port_builds.py::test_an_emulated_pico_starts_it_and_says_what_it_runs",
    # networks learn on the unix board, and the models of the parity checks on qemu_m4f
    "learn/test_networks_boards.py::*[[]qemu_m4f*]",
    # a thousand other models are checked
    "learn/test_stage_gradients.py::test_gradients_are_the_slopes_of_the_loss_in_many_models[[]3000]",
    # qemu_m4f plans the same rows
    "parity/test_planned_memory.py::*[[]virtual_pico*]",
    "parity/test_planned_memory.py::*_computed_twice[[]nodes-q8]",
)
# Tests that a pattern matches and that run every time.
_ALWAYS = (
    "parity/test_planned_memory.py::test_planned_is_measured[[]virtual_pico-digits-16]",
    "parity/test_planned_memory.py::*[[]virtual_pico-digits-q8]",
)


def is_thorough(name):
    """Whether another test stands for the one of this name, as `link/test_wire.py::test_a[b]`."""
    return _matches(name, _PATTERNS) and not _matches(name, _ALWAYS)


def _matches(name, patterns):
    return any(fnmatchcase(name, pattern) for pattern in patterns)
