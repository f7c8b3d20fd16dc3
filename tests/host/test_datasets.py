"""Data sets: read from a user's folder, from what the official address gives, or refused."""

import gzip
import hashlib
import io
import struct
import tarfile
import wave
import zipfile

import numpy as np
import pytest
from PIL import Image

from engram_host import datasets
from engram_host.datasets import (
    fan,
    fashion,
    mfcc,
    omniglot,
    place,
    scanned_digits,
    speech,
    spoken_digits,
)


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No folder of the user's, an empty cache, no network."""
    monkeypatch.delenv("ENGRAM_DATA", raising=False)
    monkeypatch.setenv("ENGRAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ENGRAM_OFFLINE", "1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """folder(set): the set's place in the user's folder."""
    monkeypatch.setenv("ENGRAM_DATA", str(tmp_path / "data"))

    def of(name):
        path = tmp_path / "data" / name
        path.mkdir(parents=True)
        return path

    return of


@pytest.fixture
def cached(tmp_path):
    """cached(set, file, content): puts what an address would have given into the cache."""

    def put(name, file, content):
        path = tmp_path / "cache" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return put


def idx_bytes(array):
    header = struct.pack(f">xxBB{array.ndim}I", 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


def wave_bytes(samples, rate):
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def tar_bytes(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tone(hertz, rate, seconds=1.0):
    at = np.arange(int(rate * seconds)) / rate
    return np.rint(8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


# ---------------------------------------------------------------- where files come from


@pytest.mark.parametrize(
    "name", ["fan_vibration", "fashion_mnist", "fsdd", "omniglot_small", "speech_commands"]
)
def test_a_set_that_cannot_be_had_says_where_to_put_it(name):
    with pytest.raises(datasets.DataUnavailable) as error:
        getattr(datasets, name)()
    for part in ("ENGRAM_DATA is unset", "ENGRAM_OFFLINE forbids", "set ENGRAM_DATA to a folder"):
        assert part in str(error.value)


def test_a_file_is_fetched_once_and_checked(tmp_path, monkeypatch):
    monkeypatch.delenv("ENGRAM_OFFLINE")
    source = tmp_path / "set.bin"
    source.write_bytes(b"some data")
    remote = place.Remote(source.as_uri(), hashlib.sha256(b"some data").hexdigest())
    first = place.fetched("some_set", remote)
    assert first.read_bytes() == b"some data"
    source.unlink()
    assert place.fetched("some_set", remote) == first


def test_a_file_with_another_sum_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.delenv("ENGRAM_OFFLINE")
    source = tmp_path / "set.bin"
    source.write_bytes(b"other data")
    with pytest.raises(place.DataUnavailable, match="expected sha256 00, got "):
        place.fetched("some_set", place.Remote(source.as_uri(), "00"))
    assert list((tmp_path / "cache" / "some_set").iterdir()) == []


def test_an_address_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("ENGRAM_OFFLINE")
    missing = (tmp_path / "missing.bin").as_uri()
    with pytest.raises(place.DataUnavailable, match="missing.bin does not answer"):
        place.fetched("some_set", place.Remote(missing, None))
    assert list((tmp_path / "cache" / "some_set").iterdir()) == []


# ---------------------------------------------------------------- Fashion-MNIST


def test_fashion_mnist_from_a_folder(folder):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (3, 28, 28), np.uint8)
    labels = np.array([9, 0, 4], np.uint8)
    where = folder("fashion_mnist")
    for part, n in (("train", 3), ("t10k", 2)):
        (where / f"{part}-images-idx3-ubyte.gz").write_bytes(idx_bytes(images[:n]))
        (where / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx_bytes(labels[:n]))
    data = datasets.fashion_mnist()
    assert data.x_train.shape == (3, 28, 28, 1) and data.x_train.dtype == np.uint8
    assert (data.x_test[..., 0] == images[:2]).all() and data.y_train.tolist() == [9, 0, 4]
    assert data.train_of([0, 4])[1].tolist() == [0, 4]


def test_a_damaged_idx_file_is_refused(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(idx_bytes(np.zeros((2, 2), np.uint8))[:-9])
    with pytest.raises(place.DataUnavailable, match="no gzipped idx file"):
        fashion.idx(path)
    path.write_bytes(gzip.compress(struct.pack(">xxBBI", 8, 1, 5) + b"1234"))
    with pytest.raises(place.DataUnavailable, match="expected 5 bytes .* got 4"):
        fashion.idx(path)


# ---------------------------------------------------------------- sounds


def test_fsdd_is_the_same_from_a_folder_and_from_the_archive(folder, cached, monkeypatch):
    sounds = {("theo", 3, 0): tone(400, 8000), ("jackson", 7, 12): tone(900, 8000, 0.3)}
    files = {
        f"set-1/recordings/{digit}_{speaker}_{take}.wav": wave_bytes(sound, 8000)
        for (speaker, digit, take), sound in sounds.items()
    }
    cached("fsdd", "v1.0.10.tar.gz", tar_bytes({"set-1/README.md": b"read", **files}))
    from_archive = datasets.fsdd()
    ordered = sorted(sounds)
    np.savez(
        folder("fsdd") / "fsdd_8k.npz",
        audio=np.concatenate([sounds[key] for key in ordered]),
        offsets=np.cumsum([0, *(len(sounds[key]) for key in ordered)]).astype(np.int32),
        label=np.array([7, 3], np.uint8),
        speaker=np.array([0, 1], np.uint8),
        take=np.array([12, 0], np.uint8),
        speaker_names=np.array(["jackson", "theo"]),
    )
    from_folder = datasets.fsdd()
    for clips in (from_archive, from_folder):
        assert clips.label.tolist() == [7, 3] and clips.take.tolist() == [12, 0]
        assert clips.speaker.tolist() == ["jackson", "theo"]
        assert [len(sound) for sound in clips.sounds] == [2400, 8000]
    assert (from_archive.features() == from_folder.features()).all()


def test_speech_commands_from_the_archive(cached):
    files = {
        "./yes/0137b3f4_nohash_0.wav": wave_bytes(tone(500, 16000), 16000),
        "./_unknown_/bed_0b57a6ed_nohash_1.wav": wave_bytes(tone(700, 16000), 16000),
        "./_silence_/7.wav": wave_bytes(np.zeros(16000, np.int16), 16000),
        "./LICENSE": b"text",
    }
    cached(speech.NAME, "speech_commands_test_set_v0.02.tar.gz", tar_bytes(files))
    words = datasets.speech_commands()
    assert words.label.tolist() == [speech.SILENCE, speech.UNKNOWN, 0]
    assert words.speaker.tolist() == ["", "0b57a6ed", "0137b3f4"]
    # a tone below 4 kHz has the same features at either rate; the edges differ by the filter
    direct = mfcc.FrontEnd().features(tone(500, 8000)).astype(int)
    assert np.abs(words.features[2][1:-1].astype(int) - direct[1:-1]).max() <= 2


def test_speech_commands_from_a_folder(folder):
    where = folder(speech.NAME) / "sc_test_mfcc.npz"
    features = np.arange(2 * 49 * 10).reshape(2, 49, 10).astype(np.int8)
    arrays = {
        "mfcc_t": features.transpose(2, 0, 1),
        "mfcc_scale": mfcc.STEP,
        "label": np.array([3, 11], np.uint8),
        "speaker": np.array([1, 0], np.uint16),
        "speaker_hash": np.array(["", "022cd682"]),
    }
    np.savez(where, **arrays)
    words = datasets.speech_commands()
    assert (words.features == features).all() and words.speaker.tolist() == ["022cd682", ""]
    np.savez(where, **{**arrays, "mfcc_scale": 2 * mfcc.STEP})
    with pytest.raises(place.DataUnavailable, match="other steps"):
        datasets.speech_commands()


def test_a_sound_of_another_kind_is_refused(cached):
    files = {"a/recordings/1_theo_2.wav": wave_bytes(tone(400, 16000), 16000)}
    cached(spoken_digits.NAME, "v1.0.10.tar.gz", tar_bytes(files))
    with pytest.raises(place.DataUnavailable, match=r"expected .*8000 Hz, got \(1, 2, 16000\)"):
        datasets.fsdd()
    whole = tar_bytes(files)
    cached(spoken_digits.NAME, "v1.0.10.tar.gz", whole[: len(whole) // 2])
    with pytest.raises(place.DataUnavailable, match="is not a whole tar archive"):
        datasets.fsdd()


def test_no_speaker_is_on_both_sides():
    speakers = np.array([f"{i % 200:08x}" for i in range(1000)] + [""] * 100)
    empty = np.zeros((len(speakers), 49, 10), np.int8)
    words = speech.Words(empty, np.zeros(len(speakers), np.int64), speakers)
    train = words.of_training()
    assert set(speakers[:1000][train[:1000]]) & set(speakers[:1000][~train[:1000]]) == set()
    assert 0.6 < train[:1000].mean() < 0.8 and train[1000:].mean() == 0.7
    again = speech.Words(empty[::-1], words.label, speakers[::-1]).of_training()
    assert (again[::-1][:1000] == train[:1000]).all()  # the order of the clips has no say


# ---------------------------------------------------------------- the audio front-end


def reference_mfcc(sound):
    """The front-end in numpy and float64, from its definition in mfcc.py."""
    at = np.arange(49)[:, None] * 160 + np.arange(240)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(240) / 240)
    power = np.abs(np.fft.rfft(sound[at] / 32768.0 * window, 256)) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    place_of = (mel(np.arange(129) * 8000 / 256) - mel(20)) / (mel(4000) - mel(20)) * 41
    triangles = np.maximum(0, 1 - np.abs(place_of[:, None] - 1 - np.arange(40)))
    bands = np.log(np.maximum(power @ triangles, 1e-3))
    basis = np.cos(np.pi * np.arange(10)[:, None] * (2 * np.arange(40) + 1) / 80)
    return bands @ (basis * np.sqrt(np.where(np.arange(10) == 0, 1, 2) / 40)[:, None]).T


def test_the_front_end_is_its_definition():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 3000, 8000).clip(-32768, 32767).astype(np.int16)
    sound = (tone(440, 8000) // 2 + noise // 3).astype(np.int16)
    values = mfcc.FrontEnd().mfcc(sound)
    assert values.shape == (49, 10) and np.abs(values - reference_mfcc(sound)).max() < 2e-3


def test_silence_is_the_floor():
    quiet = mfcc.FrontEnd().mfcc(np.zeros(8000, np.int16))
    assert np.allclose(quiet[:, 0], np.log(1e-3) * np.sqrt(40), atol=1e-3)
    assert np.abs(quiet[:, 1:]).max() < 1e-3


def test_a_sound_is_brought_to_one_second():
    short, long = np.arange(1, 101, dtype=np.int16), np.arange(9001).astype(np.int16)
    padded = mfcc.one_second(short)
    assert len(padded) == 8000 and (padded[3950:4050] == short).all() and padded.sum() == 5050
    assert (mfcc.one_second(long) == long[500:8500]).all()


def test_halving_keeps_what_is_below_4_khz_and_removes_what_is_above():
    low = mfcc.halved(tone(1000, 16000))
    assert np.abs(low[50:-50].astype(int) - tone(1000, 8000)[50:-50]).max() <= 8
    assert np.abs(mfcc.halved(tone(5500, 16000))[50:-50]).max() <= 8


def test_features_as_input_are_the_same_numbers():
    features = np.array([-128, -1, 0, 127], np.int8).reshape(1, 4, 1)
    assert mfcc.as_input(features).reshape(-1).tolist() == [0, 127, 128, 255]


# ---------------------------------------------------------------- Omniglot


def test_omniglot_is_the_same_from_a_folder_and_from_the_archives(folder, cached):
    rng = np.random.default_rng(2)
    ink = rng.random((3, 105, 105)) < 0.1
    names = [("Greek", 1, 1), ("Greek", 2, 20), ("Latin", 1, 3)]

    def archive(rows):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as target:
            for i in rows:
                picture = io.BytesIO()
                Image.fromarray(~ink[i]).save(picture, "png")  # one bit a pixel, ink is black
                alphabet, character, drawer = names[i]
                path = f"images/{alphabet}/character{character:02}/0001_{drawer:02}.png"
                target.writestr(path, picture.getvalue())
        return out.getvalue()

    cached(omniglot.NAME, "images_background_small1.zip", archive([2, 0]))
    cached(omniglot.NAME, "images_background_small2.zip", archive([1, 0]))
    from_archive = datasets.omniglot_small()
    np.savez(
        folder(omniglot.NAME) / "omniglot_small.npz",
        ink_packed=np.packbits(ink.reshape(3, -1), axis=1),
        label=np.array([0, 1, 2], np.uint16),
        drawer=np.array([1, 20, 3], np.uint8),
        class_alphabet=np.array(["Greek", "Greek", "Latin"]),
    )
    for data in (from_archive, datasets.omniglot_small()):
        assert (data.ink == ink).all() and data.label.tolist() == [0, 1, 2]
        assert data.drawer.tolist() == [1, 20, 3]
        assert data.alphabet.tolist() == ["Greek", "Greek", "Latin"]
        assert data.of_alphabets(["Latin"]).tolist() == [False, False, True]


def test_pixels_are_shares_of_ink():
    ink = np.zeros((1, 105, 105), bool)
    ink[0, :, :5] = True
    drawings = omniglot.Characters(ink, np.zeros(1, int), np.zeros(1, int), np.array(["a"]))
    pixels = drawings.pixels(28)[0, :, :, 0]
    # a pixel is 3.75 wide: the first is full, the second has 1.25 of 3.75, the others nothing
    assert pixels.shape == (28, 28)
    assert set(map(tuple, pixels[:, :3].tolist())) == {(255, 85, 0)} and pixels[:, 2:].max() == 0
    assert drawings.pixels(105)[0, 0, :6, 0].tolist() == [255] * 5 + [0]


def test_the_digits_are_the_scans_of_the_data_set():
    """Byte by byte, in the order in which scikit-learn has them too."""
    x, y = scanned_digits.scans()
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((1797, 8, 8, 1), np.uint8, (1797,), np.uint8)
    digest = hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()
    assert digest == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


# ---------------------------------------------------------------- the fan


def recordings():
    """{(configuration, speed): (2980, 3) thousandths}: 46 windows and a rest; each its own."""
    at = np.arange(2980)[:, None] % 7
    pairs = [(c, s) for c in (1, 2, 3) for s in (20, 100)]
    return {(c, s): at * 10 + [c, s, -s] for c, s in pairs}


def check_fan(data):
    found = recordings()
    assert data.signal.shape == (6, 2980, 3) and data.signal.dtype == np.float32
    windows = data.windows(2)
    assert windows.shape == (2, 46, 64, 3)
    for i, speed in enumerate((20, 100)):
        target = found[2, speed][: 46 * 64].reshape(46, 64, 3) / 1000
        np.testing.assert_allclose(windows[i], target, atol=1e-6)
        assert np.array_equal(data.windows(2, speed)[0], windows[i])
    parts = data.parts()
    assert parts.fit.shape == (60, 64, 3) and parts.usual.shape == (32, 64, 3)
    assert np.array_equal(parts.fit[30:], data.windows(1, 100)[0, :30])
    assert np.array_equal(parts.usual[:16], data.windows(1, 20)[0, 30:])
    assert {other: len(rows) for other, rows in parts.unlike.items()} == {2: 92, 3: 92}


def test_the_fan_from_a_folder(folder):
    found = recordings()
    order = list(reversed(found))
    np.savez(
        folder("fan_vibration") / "fan_vibration.npz",
        xyz_milli_g=np.stack([found[key].T for key in order]).astype(np.int16),
        config=np.array([key[0] for key in order], np.uint8),
        speed_pct=np.array([key[1] for key in order], np.uint8),
    )
    check_fan(datasets.fan_vibration())


def fan_zip(lines, name="accelerometer.csv"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "configuration,speed,x,y,z\n" + "\n".join(lines))
    return out.getvalue()


def test_the_fan_from_what_the_address_gives(cached):
    lines = [
        ",".join(map(str, (*key, *(row / 1000))))
        for key, rows in recordings().items()
        for row in rows
    ]
    cached("fan_vibration", "accelerometer.zip", fan_zip(lines))
    check_fan(datasets.fan_vibration())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (fan_zip(["1,20,0,0,0"], "other.csv"), "holds no accelerometer.csv"),
        (fan_zip(["1,20,0,0,far"]), "holds no accelerometer.csv of numbers"),
        (fan_zip(["1,20,0,0"]), "expected 5 columns .*, got 4"),
        (fan_zip(["1,20,0,0,0", "1,20,0,0,0", "2,20,0,0,0"]), "recordings of one length, got"),
        (b"no archive", "holds no accelerometer.csv"),
    ],
)
def test_a_table_of_the_fan_that_is_none_is_refused(cached, content, message):
    cached("fan_vibration", "accelerometer.zip", content)
    with pytest.raises(place.DataUnavailable, match=message):
        fan.fan_vibration()
