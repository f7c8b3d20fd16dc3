"""The parity table: what it counts, and that it tells a difference."""

from parity import matrix

LINES = ["exact relu_fwd 3 aa", "exact in place relu_fwd bb", "bits relu_fwd 3 cc", "refused x"]


def told(lines):
    hosts = {matrix.TITLES[name]: LINES for name in matrix.CPYTHON}
    return matrix.matrix({**hosts, "board": lines})


def test_equal_lines_are_counted():
    assert told(LINES)["relu_fwd"]["board"] == {"exact": [2, 2], "bits": [1, 1]}
    assert matrix.shown(told(LINES)["relu_fwd"]["board"]) == "3"


def test_a_difference_is_a_fault():
    wrong = [*LINES[:2], "bits relu_fwd 3 dd"]
    assert matrix.shown(told(wrong)["relu_fwd"]["board"]) == "2/3"
    assert "relu_fwd on board: 2 of 3 cases equal" in matrix.faults(told(wrong))


def test_a_missing_line_is_a_fault():
    assert "relu_fwd on board: 2 of 3 cases equal" in matrix.faults(told(LINES[1:]))


def test_a_kernel_without_cases_is_a_fault():
    assert "relu_bwd_dx on board: 0 of 0 cases equal" in matrix.faults(told(LINES))
