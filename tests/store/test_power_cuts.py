"""Power is cut at every byte that is programmed and in every erase; nothing acknowledged is lost.

ENGRAM_CUTS=deep tries every cut in every geometry, and cuts the recovery from many more: minutes.
"""

import os

import pytest
from nor import BITS, CLEARING, DOWN, FIELDS, MIXED, UP, Journal
from store_life import (
    EMPTY,
    FULL_LIFE,
    NO_CLASS,
    FullLife,
    Scene,
    check,
    journaled,
    read_record,
    records_of,
    saved_of,
    try_cuts,
    wrecks,
)
from test_format import GOLDEN, REGIONS, golden, lived

from engram import StoreError
from engram.store import Checkpoints, ReplayStore, log

pytestmark = pytest.mark.slow

DEEP = os.environ.get("ENGRAM_CUTS") == "deep"

# scene, every so-many-th cut
SCENES = (
    (Scene(5, 512, 1, 60), 1),
    (Scene(5, 512, 16, 60, order=DOWN), 2),
    (Scene(5, 512, 4, 61, align=True, order=MIXED), 7),
    (Scene(6, 512, 16, 20, align=True, erase_steps=0), 9),
    (Scene(6, 1024, 256, 100, order=MIXED), 29),
    (Scene(5, 4096, 256, 256), 41),
    (Scene(4, 4096, 16, 1000, parts=(40, 400)), 97),
    (Scene(5, 512, 16, 45, order=MIXED, targets=3), 7),
    (Scene(6, 512, 16, 9, align=True, targets=2), 9),
    # tearing that is stronger than what the format promises for every flash
    (Scene(5, 512, 16, 60, order=CLEARING), 3),
    (Scene(5, 512, 16, 20, align=True, order=CLEARING), 5),
    (Scene(5, 512, 16, 60, order=BITS), 29),
    (Scene(5, 512, 16, 20, align=True, order=BITS), 29),
    (Scene(5, 512, 16, 60, order=FIELDS), 3),
    (Scene(8, 512, 16, 60, order=FIELDS, reserve=3), 3),
    # most records without a label, in formats 1 and 2
    (Scene(5, 512, 16, 60, order=MIXED, unlabelled=True), 7),
    (Scene(5, 512, 4, 45, align=True, targets=3, unlabelled=True), 7),
)


@pytest.mark.parametrize("scene, every", SCENES, ids=repr)
def test_every_cut(scene, every):
    """Nothing is lost, nothing torn is served, the store mounts and goes on."""
    cuts, _ = try_cuts(scene, 1 if DEEP else every)
    assert cuts > 150


@pytest.mark.parametrize("scene", [scene for scene, _ in SCENES[:4] + SCENES[-4:]], ids=repr)
def test_the_recovery_is_cut_too(scene):
    """A second cut, while the store recovers from the first or soon after."""
    _, second = try_cuts(scene, *((3, 3, 2) if DEEP else (151, 3, 2)))
    assert second > 250


def test_a_life_collects_and_saves():
    """The life of which the cuts are tried does what the cuts are to be tried on."""
    scene = SCENES[0][0]
    flash = scene.flash()
    life = FullLife(scene, flash, 1)
    life.live(FULL_LIFE)
    info = life.store.info()
    assert info["collections"] >= 3 and info["moved"] >= 3 and info["live"] == info["capacity"]
    assert life.checkpoints.info()["generation"] == 3
    _, journal, acts = journaled(scene)
    assert len(journal) > 4000 and len(acts) > 35


@pytest.mark.parametrize("scene", [scene for scene, _ in SCENES[-2:]], ids=repr)
def test_records_without_a_label_come_back_without_one(scene):
    """What the scenes of unlabelled records cut: in both formats many labels are none."""
    flash = scene.flash()
    life = FullLife(scene, flash, 1)
    life.live(FULL_LIFE)
    labels = [label for label, _ in records_of(scene.store(flash)).values()]
    assert len(labels) / 3 < labels.count(NO_CLASS) < len(labels)


@pytest.mark.parametrize("version, name", REGIONS)
def test_a_golden_region_is_cut_as_it_goes_on(version, name, monkeypatch):
    """An upgrade of the library: it lives on in what an older one has left, power cut or not."""
    scene = GOLDEN[version][name]
    with monkeypatch.context() as patch:
        patch.setattr(log, "WEAR_SPREAD", 64)  # as test_format.py says
        _, older = lived(scene)
    steps = (("mount", 1), ("churn", 2), ("save", 1), ("mount", 1))
    first, journal, acts = journaled(scene, golden(version)[name], 2, *older.state(), steps=steps)
    kind = scene.flash()
    count = 0
    for cut, image, allowed in wrecks(first, journal, acts):
        if cut % 2 == 0:
            check(scene, kind.like(image), allowed)
            count += 1
    assert count > 300


def old_contents(scene, kind):
    """What was in the region before it is formatted."""
    flash = scene.flash()
    if kind == "foreign":
        flash.data[:] = bytes((i * 37 + i // 256) & 0xFF for i in range(len(flash.data)))
    elif kind == "other model":
        replay, region = scene.regions(flash)
        store = ReplayStore(replay, scene.program_bytes, 1, 20, align=scene.align)
        for i in range(store.capacity):
            store.append(bytes([i] * 20), i, 0)
        Checkpoints(region, scene.program_bytes, 1).save([bytearray(8)])
    elif kind == "own":
        life = FullLife(scene, flash, 1)
        life.live(FULL_LIFE)
    return flash


def format_cuts(scene, kind):
    """Cuts a format() of old contents everywhere; how many cuts left it refusing to mount."""
    flash = old_contents(scene, kind)
    first = bytearray(flash.data)
    old = records_of(scene.store(flash)) if kind == "own" else {}
    flash.written.clear()
    flash.journal = Journal()
    scene.store(flash, ReplayStore.format)
    acts = [(0, len(flash.journal), ({}, None), ({}, None))]
    refusals = 0
    is_begun = False
    for cut, image, _ in wrecks(first, flash.journal, acts):
        wreck = flash.like(image)
        wreck.once = False
        try:
            store = scene.store(wreck)
        except StoreError as e:
            assert not is_begun, e
            assert "ReplayStore.format" in str(e)
            refusals += 1
            store = scene.store(wreck, ReplayStore.format)
        is_begun = is_begun or not refusals or refusals < cut
        records = records_of(store)
        assert all(old.get(data) == value for data, value in records.items())
        info = store.info()
        assert info["bad_blocks"] == 0 and info["free_blocks"] >= 1
        if not records:
            assert info["free_blocks"] + 1 >= info["blocks"]
        if len(records) < store.capacity:
            store.append(bytes([cut & 0xFF]) * scene.latent_bytes, 1, 1)
            assert len(records_of(scene.store(wreck))) == len(records) + 1
    assert len(flash.journal) > 50
    return refusals


FORMAT_SCENES = (Scene(5, 512, 1, 60), Scene(5, 512, 16, 60, order=MIXED, align=True))


@pytest.mark.parametrize("scene", FORMAT_SCENES, ids=repr)
@pytest.mark.parametrize("kind", ["blank", "foreign", "other model", "own"])
def test_a_format_that_is_cut_is_finished_by_the_mount(scene, kind):
    """Once the region says that it is being formatted, no cut leaves it in between."""
    refusals = format_cuts(scene, kind)
    assert (refusals > 0) == (kind in ("foreign", "other model"))


def test_formatting_checkpoints():
    scene = SCENES[0][0]
    flash = old_contents(scene, "other model")
    with pytest.raises(StoreError, match=r"c0ffee11.*got .*model 00000001.*Checkpoints\.format"):
        scene.checkpoints(flash)
    Checkpoints.format(scene.regions(flash)[1], scene.program_bytes, 0xC0FFEE11)
    assert saved_of(scene, scene.checkpoints(flash)) is None


def test_check_notices_a_difference():
    """The judge of all this is not blind: a record or a state too few or too many is noticed."""
    scene = SCENES[0][0]
    flash = scene.flash()
    life = FullLife(scene, flash, 1)
    life.live((("mount", 1), ("append", 3), ("save", 1)))
    records, last = life.state()
    check(scene, flash, [(records, last)])
    fewer = dict(list(records.items())[1:])
    other = {data: (label ^ 1, session) for data, (label, session) in records.items()}
    for wrong in ((fewer, last), (other, last), (records, None), (records, last[::-1])):
        with pytest.raises(AssertionError, match="not an allowed state"):
            check(scene, flash, [wrong])


def test_orders_differ():
    """The three orders of tearing are three different ways to tear."""
    images = set()
    for order in (UP, DOWN, MIXED):
        scene = Scene(5, 512, 16, 60, order=order)
        first, journal, acts = journaled(scene, steps=(("mount", 1), ("append", 1)))
        images.update(bytes(image) for cut, image, _ in wrecks(first, journal, acts) if cut > 5)
    assert len(images) > 250


def test_a_mark_that_a_cut_has_begun_is_not_programmed_again():
    """Of a flash that refuses it: one bit of the mark of a record and of each unit has fallen."""
    scene = Scene(6, 512, 16, 20, align=True)
    flash = scene.flash()
    life = FullLife(scene, flash, 1)
    life.live((("mount", 1), ("append", 12)))
    layout = life.store._layout
    units = range(life.store.info()["blocks"])
    gone = read_record(life.store, 1)[1]
    for at in [layout.slot_at(1)] + [unit * 512 + layout.mark_at for unit in units]:
        flash.flip(at, 3)
        flash.written.add(at // 16)
    life.mount()
    held = [slot for slot, label in enumerate(life.store.labels) if label != EMPTY]
    life.store.delete(next(slot for slot in held if read_record(life.store, slot)[1] == gone))
    del life.records[gone]
    check(scene, flash, [life.state()])
    life.live((("fill", 1), ("churn", 8)))
    check(scene, flash, [life.state()])
