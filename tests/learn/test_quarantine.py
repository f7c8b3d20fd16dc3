"""What is taken in without labels: new ways of running, and no faults."""

from engram.watch.quarantine import BLOCKS, Quarantine

ROWS, ELEMS = 2, 3
NORMAL, NEW = 1.0, 9.0


def latents(number):
    return bytes([number]) * (ROWS * ELEMS)


def taken(means):
    """(numbers of the blocks that are taken in, Quarantine) of a run of blocks."""
    guard = Quarantine(ROWS, ELEMS, 2.0)
    out = []
    for number, mean in enumerate(means):
        found = guard.feed(mean, mean == NEW, latents(number))
        if found is not None:
            assert bytes(found) == bytes([found[0]]) * (ROWS * ELEMS)
            out.append(found[0])
    return out, guard


def test_a_way_of_running_between_known_ones_is_taken_in():
    means = [NORMAL] * 16 + [NEW] * 8 + [NORMAL] * 24
    blocks, guard = taken(means)
    assert blocks == list(range(16, 24))
    assert (guard.adopted, guard.refused, guard.waiting) == (8, 0, 0)


def test_a_fault_that_stays_is_not():
    blocks, guard = taken([NORMAL] * 16 + [NEW] * 40)
    assert blocks == [] and guard.refused == 40 - BLOCKS and guard.waiting == BLOCKS


def test_a_fault_of_26_blocks_is_never_taken_in_and_of_25_one_block_is():
    for length, expected in ((25, [28]), (26, [])):
        assert taken([NORMAL] * 16 + [NEW] * length + [NORMAL] * 40)[0] == expected


def test_what_waits_is_refused_where_somebody_knows_that_it_was_a_fault():
    _, guard = taken([NORMAL] * 16 + [NEW] * 4)
    guard.refuse()
    assert (guard.waiting, guard.refused) == (0, 4)
    found = [guard.feed(NORMAL, False, latents(0)) for _ in range(40)]
    assert found == [None] * 40 and guard.refused == 4


def test_normal_blocks_do_not_wait():
    blocks, guard = taken([NORMAL] * 40)
    assert blocks == [] and guard.waiting == guard.refused == 0


def test_nothing_is_taken_in_at_the_start_where_nothing_was_normal_before():
    assert taken([NEW] * 4 + [NORMAL] * 30)[0] == []


def test_a_block_waits_where_it_looks_new_and_is_not_surely_normal():
    guard = Quarantine(ROWS, ELEMS, 2.0)
    guard.feed(2.0, True, latents(0))
    guard.feed(2.1, False, latents(1))
    assert guard.waiting == 0
    guard.feed(2.1, True, latents(2))
    guard.feed(float("nan"), True, latents(3))
    assert guard.waiting == 2


def test_a_new_way_at_a_quarter_of_normal_blocks_around_it_is_the_least():
    start = [NORMAL] * 4 + [NEW] * 12
    for normal_after, expected in ((4, True), (3, False)):
        after = [NORMAL] * normal_after + [NEW] * (BLOCKS - normal_after)
        blocks, _ = taken([*start, NEW, *after])
        assert (16 in blocks) is expected
