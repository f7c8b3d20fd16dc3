"""Cut campaigns: every cut point of a life, then every cut point of each recovery, then of its.

A recovery is what a mount programs and erases before it returns. It is recorded and cut after each
of its steps. One of these wrecks, picked at random, is recovered and cut in the same way, and so
on.
"""

from nor import BITS, CLEARING, DOWN, FIELDS, MIXED, UP, Journal
from store_life import Scene, SecondLife, check, journaled, wrecks

from engram.store import ReplayStore

DEEPEST = 4  # recoveries within recoveries
SMALL = ((5, 512), (6, 512), (9, 512), (5, 1024), (4, 4096), (12, 4096))
LARGE = ((5, 16384), (4, 65536), (4, 131072), (4, 262144))


def some_scene(rng):
    """A geometry: erase units of 512 bytes to 256 KiB, programs of 1 to 512, packed or aligned."""
    while True:
        units, erase_bytes = rng.choice(SMALL * 3 + LARGE)
        program_bytes = rng.choice([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
        latent_bytes = min(60000, max(8, erase_bytes // rng.randrange(3, 12) - 30))
        parts = rng.randrange(1, 6), rng.randrange(1, 20)
        align = rng.random() < 0.4
        orders = (UP, DOWN, MIXED, CLEARING, BITS) + (() if align else (FIELDS,))
        scene = Scene(
            units, erase_bytes, program_bytes, latent_bytes, align=align,
            order=rng.choice(orders), erase_steps=6, parts=parts,
            targets=rng.choice((0, 0, 1, 5)),
        )  # fmt: skip
        try:
            store = scene.store(scene.flash())
        except Exception:  # latents of that size do not fit beside aligned heads
            continue
        if store._slots_per_unit >= 2 and store.capacity >= 6:
            return scene


def cut_recoveries(scene, kind, image, allowed, figures, rng, depth=1):
    """Cuts the recovery of a wreck after each step, and that of one such wreck again."""
    flash = kind.like(image)
    flash.journal = Journal()
    scene.store(flash)
    scene.checkpoints(flash)
    figures["recoveries"] += 1
    if not len(flash.journal):
        return
    figures["recoveries_with_steps"] += 1
    figures["deepest"] = max(figures["deepest"], depth)
    acts = [(0, len(flash.journal), allowed, allowed)]
    deeper = rng.randrange(1, len(flash.journal) + 1) if depth < DEEPEST else 0
    for cut, wreck, _ in wrecks(image, flash.journal, acts):
        if 0 < cut < len(flash.journal):
            figures["cuts_in_recoveries"] += 1
            check(scene, kind.like(wreck), allowed)
        if cut and cut == deeper:
            cut_recoveries(scene, kind, bytes(wreck), allowed, figures, rng, depth + 1)


def cut_further_life(scene, kind, image, state, boot, figures, rng, places=6):
    """Lives on for a few operations, and cuts these at random places."""
    flash = kind.like(image)
    flash.journal = Journal()
    life = SecondLife(scene, flash, boot, *state)
    life.live((("mount", 1), ("replace", 3), ("save", 1), ("mount", 1)))
    picks = {rng.randrange(len(flash.journal) + 1) for _ in range(places)}
    for cut, wreck, allowed in wrecks(image, flash.journal, life.acts):
        if cut in picks:
            figures["cuts_in_later_lives"] += 1
            check(scene, kind.like(wreck), allowed)


def cut_twice(scene, rng, figures, most=None, in_time=lambda: True, lived=None):
    """A full life, cut after every step (most: after about so many of them, at random).

    lived: (first image, journal, acts) of another life.
    """
    first, journal, acts = lived or journaled(scene)
    kind = scene.flash()
    share = 1 if most is None else min(1, most / len(journal))
    for cut, image, allowed in wrecks(first, journal, acts):
        if rng.random() >= share:
            continue
        if not in_time():
            return
        figures["cuts"] += 1
        state = check(scene, kind.like(image), allowed)
        cut_recoveries(scene, kind, bytes(image), [state], figures, rng)
        if rng.random() < 0.05:
            cut_further_life(scene, kind, image, state, 2 + cut % 30000, figures, rng)
    figures["scenes"] += 1


def cut_format(scene, flash, figures, old=None, share=7):
    """Formats what a flash holds, cuts that everywhere, and the recovery from each cut.

    From the step on that says that a format was begun, each mount ends with an empty store.
    old: records that may still be there before that step. share: so many of the cuts of a recovery
    there are for one that is tried.
    """
    old = old or {}
    first = bytearray(flash.data)
    flash.journal = Journal()
    scene.store(flash, ReplayStore.format)
    acts = [(0, len(flash.journal), ({}, None), ({}, None))]
    is_begun = False
    for cut, image, _ in wrecks(first, flash.journal, acts):
        wreck = flash.like(image)
        wreck.once = False
        wreck.journal = Journal()
        figures["format_cuts"] += 1
        store = scene.store(wreck)
        left = len(store)
        assert left <= len(old) and not (is_begun and left)
        is_begun = is_begun or not left
        if len(wreck.journal) > 20:
            figures["recoveries_with_steps"] += 1
            steps = [(0, len(wreck.journal), ({}, None), ({}, None))]
            again = wrecks(bytes(image), wreck.journal, steps)
            for second, wreck2, _ in again:
                if (second + cut) % share == 0:
                    other = flash.like(wreck2)
                    other.once = False
                    assert len(scene.store(other)) == 0
                    figures["cuts_in_recoveries"] += 1
