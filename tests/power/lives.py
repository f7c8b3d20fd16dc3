"""Random long lives: cuts within recoveries, units that wear out.

A life is appends, deletes, replacements, saves and mounts at random, on a flash of a
random geometry. What the store and the checkpoints serve is compared after each cut with what was
acknowledged. A store that gives up says so with a StoreError and keeps what it holds.
"""

from cuts import some_scene
from nor import PowerCut
from store_life import Life, append_record, comparable, records_of, saved_of

from engram import StoreError

OPERATIONS = ("append",) * 4 + ("replace",) * 6 + ("delete",) * 3 + ("save", "reboot")


class RandomLife(Life):
    """rng: random.Random; figures: Counter that it counts in."""

    def __init__(self, scene, flash, rng, figures):
        super().__init__(scene, flash, rng.randrange(2, 30000))
        self.rng = rng
        self.figures = figures

    def replace(self):
        if len(self.store) == self.store.capacity:
            self.delete()
        self.append()

    def reboot(self):
        self.mount()

    def run(self, operations):
        """Lives so many operations; False when the flash wore out before."""
        self.mount()
        for _ in range(operations):
            if self.rng.random() < 0.15:
                self.flash.fuel = self.rng.choice((5, 60, 400, 3000))
                self.flash.fuel = self.rng.randrange(1 + self.flash.fuel)
            if not self.one():
                return False
            self.figures["operations"] += 1
        self.compare([self.state()])
        return True

    def one(self):
        before = self.state()
        name = self.rng.choice(OPERATIONS)
        if name == "append" and len(self.store) == self.store.capacity:
            name = "delete"
        self.intent = before
        try:
            getattr(self, name)()
            self.flash.fuel = -1
        except PowerCut:
            self.figures["cuts"] += 1
            self.recover([before, self.intent, self.state()])
        except StoreError:
            self.flash.fuel = -1
            assert self.flash.endurance, "a store gives up on a flash that is not worn"
            self.figures["worn_out"] += 1
            self.recover([before, self.intent, self.state()], cut_again=False)
            return False
        return True

    def recover(self, allowed, cut_again=True):
        """Mounts, with the power cut again and again; then compares."""
        while True:
            cuts = cut_again and self.rng.random() < 0.5
            self.flash.fuel = self.rng.randrange(40) if cuts else -1
            try:
                self.mount()
                self.flash.fuel = -1
                break
            except PowerCut:
                self.figures["cuts_in_recoveries"] += 1
        self.figures["recoveries"] += 1
        self.records, self.saved = self.compare(allowed)

    def compare(self, allowed):
        contents = records_of(self.store)
        last = saved_of(self.scene, self.checkpoints)
        for records, state in allowed:
            expected = None if state is None else comparable(self.scene, state)
            if contents == records and last == expected:
                return records, state
        lost = [len([d for d in records if d not in contents]) for records, _ in allowed]
        odd = [len([d for d in contents if d not in records]) for records, _ in allowed]
        raise AssertionError(f"{self.scene}: lost {lost}, not expected {odd}")


def random_life(rng, figures, operations=400):
    """One life on a random flash; in one of three the units wear out."""
    scene = some_scene(rng)
    flash = scene.flash()
    if rng.random() < 0.33:
        flash.endurance = [rng.randrange(3, 40) for _ in range(flash.blocks)]
    if scene.erase_bytes > 4096:
        operations //= 8
    life = RandomLife(scene, flash, rng, figures)
    life.run(operations)
    figures["lives"] += 1
    return life


def wear_is_counted(scene, replacements, rng):
    """Replaces records at random, mounts now and then; figures of the store and the simulator.

    AssertionError where the two disagree.
    """
    flash = scene.flash()
    store = scene.store(flash)
    region = scene.regions(flash)[0].count
    counted = {"erases": 0, "bytes_programmed": 0, "moved": 0}
    payload = 0

    def look():
        info = store.info()
        for name in counted:
            counted[name] += info[name]

    for number in range(replacements):
        if len(store) == store.capacity:
            slot = rng.randrange(len(store.labels))
            while store.labels[slot] == 255:
                slot = rng.randrange(len(store.labels))
            store.delete(slot)
        data = number.to_bytes(4, "little") * (scene.data_bytes // 4)
        append_record(store, data, number % 10, 0)
        payload += scene.data_bytes
        if number % 5000 == 4999:
            look()
            store = scene.store(flash)
    look()
    info = store.info()
    wear = flash.wear[:region]
    assert counted["erases"] == sum(wear), (counted, sum(wear))
    assert counted["bytes_programmed"] == flash.taken, (counted, flash.taken)
    assert (info["wear_min"], info["wear_max"]) == (min(wear), max(wear)), (info, wear)
    return {
        "replacements": replacements, "fill": round(len(store) / len(store.labels), 3),
        "wear_min": min(wear), "wear_max": max(wear), "erases": sum(wear),
        "moved_per_append": round(counted["moved"] / replacements, 3),
        "program_bytes_per_payload_byte": round(flash.taken / payload, 3),
    }  # fmt: skip
