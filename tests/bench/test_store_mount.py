"""The RAM of the index and the time of a mount, on boards: bounded by the records, and linear."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import store_mount
import store_mounts

pytestmark = pytest.mark.board

MOST_BYTES_PER_RECORD = 4
OFF_THE_LINE = 0.02  # of a mount; the shortest, of 150 records, is off by 0.014


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    return store_mount.on_board("qemu_m4f", tmp_path_factory.mktemp("qemu"))


def test_a_record_takes_four_bytes_of_ram_at_most(emulated):
    assert 0 < store_mount.bytes_per_record(emulated[1]) <= MOST_BYTES_PER_RECORD


def test_on_a_64_bit_host_too(tmp_path):
    heaps = store_mount.on_board("unix", tmp_path)[1]
    assert 0 < store_mount.bytes_per_record(heaps) <= MOST_BYTES_PER_RECORD


def test_a_mount_reads_the_units_in_use_and_no_other(emulated):
    for row in emulated[0]:
        assert row["slots_read"] == row["records"]  # the open unit is full


@pytest.mark.parametrize("units", store_mounts.SIZES)
def test_a_mount_takes_what_the_slots_take(emulated, units):
    some = store_mount.of_size(emulated[0], units)
    each, fixed = store_mount.slope(some, "slots_read", "taken")
    assert each > 0 and fixed > 0
    for row in some:
        line = fixed + each * row["slots_read"]
        assert abs(row["taken"] / line - 1) <= OFF_THE_LINE, row


def test_what_does_not_depend_on_slots_grows_with_the_units(emulated):
    """And not faster than they do: twice as many units take less than twice as much."""
    arguments = []
    for units in store_mounts.SIZES:
        some = store_mount.of_size(emulated[0], units)
        each, fixed = store_mount.slope(some, "slots_read", "taken")
        arguments.append(fixed)
    assert store_mounts.SIZES == (18, 36, 72)
    assert arguments[0] < arguments[1] < arguments[2] < 2 * arguments[1] < 4 * arguments[0]
