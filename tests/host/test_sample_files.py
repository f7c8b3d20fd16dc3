"""Tables, images and sounds as samples: what becomes of them, and what is said of those that are
none."""

import json
import wave

import numpy as np
import pytest
from PIL import Image

from engram_host import api, samples
from engram_host.convert import model_file
from engram_host.datasets import mfcc
from engram_host.errors import EngramWarning, InputError
from engram_host.samples import Input, names
from host import command, regression_model

FLOATS = Input(4, "float32")
DIGITS = "zero one two three four five six seven eight nine".split()


def table(folder, text):
    (folder / "data.csv").write_text(text)
    return folder / "data.csv"


# ---- tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1,2.5,0\n3,4,1\n",  # the last column
        "a,b,label\n1,2.5,0\n3,4,1\n",
        "label;a;b\n0;1;2.5\n1;3;4\n",
        "\ufeffa\tb\tClass\n1\t2.5\t0\n\n3\t4\t1\n",  # as spreadsheets write it
    ],
)
def test_a_table_has_a_row_per_sample(tmp_path, text):
    content = samples.load(table(tmp_path, text))
    assert content.x.tolist() == [[1, 2.5], [3, 4]] and content.y.tolist() == [0, 1]
    assert content.x.dtype == np.float32 and content.targets is None


def test_labels_of_a_table_may_be_names_or_targets(tmp_path):
    content = samples.load(table(tmp_path, "a,b,class\n1,2,dog\n3,4,cat\n5,6,dog\n"))
    assert content.class_names == ("cat", "dog") and content.y.tolist() == [1, 0, 1]
    content = samples.load(table(tmp_path, "1,2,0.5\n3,4,1\n"))
    assert content.y is None and content.targets.tolist() == [[0.5], [1]]
    content = samples.load(table(tmp_path, "a,label,target_x,target_y\n1,0,2,3\n1,1,4,5\n"))
    assert content.y.tolist() == [0, 1] and content.targets.tolist() == [[2, 3], [4, 5]]


def test_a_table_may_have_inputs_alone(tmp_path):
    text = "1,2,3,4\n5,6,7,8\n"
    assert samples.load(table(tmp_path, text), model=FLOATS).y is None
    assert samples.load(table(tmp_path, text)).y.tolist() == [4, 8]


REFUSED_TABLES = {
    "expected a number in line 3, column b, got 'x'": "a,b,label\n1,2,0\n1,x,1\n",
    "expected a number in line 2, column 1, got ''": "1,2,0\n,2,1\n",
    "expected 3 columns in line 2, got 2": "1,2,0\n1,2\n",
    "expected a row per sample, got an empty file": "",
    "expected a row per sample below the names, got none": "a,b,label\n",
    "expected a label in line 3, got none": "a,b,label\n1,2,cat\n3,4,\n",
    "expected columns of inputs beside the label, got none": "label\n1\n",
    "expected finite inputs, got NaN or infinity in sample 1": "1,2,0\n1,nan,1\n",
    "expected labels from 0 to 254, got -1 at sample 0": "1,2,-1\n3,4,0\n",
}


@pytest.mark.parametrize("message", REFUSED_TABLES)
def test_a_table_that_is_none_is_refused(tmp_path, message):
    with pytest.raises(InputError, match=message):
        samples.load(table(tmp_path, REFUSED_TABLES[message]))


def test_another_kind_of_file_is_told_by_its_ending(tmp_path):
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"ends in .npz, .npy, .csv, .*, got .xlsx; save it"):
        samples.load(tmp_path / "data.xlsx")
    (tmp_path / "objects.npy").write_bytes(b"")
    np.save(tmp_path / "objects.npy", np.array([None, 1]), allow_pickle=True)
    with pytest.raises(InputError, match="expected arrays of numbers, got Python objects"):
        samples.load(tmp_path / "objects.npy")
    (tmp_path / "text.npy").write_text("1,2,3\n")
    with pytest.raises(InputError, match="expected an .npz or .npy file of numpy, got something"):
        samples.load(tmp_path / "text.npy")


# ---- images -------------------------------------------------------------------------------------


def image(path, size=(8, 8), mode="L", level=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*size[::-1], 3), level, np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def test_a_folder_has_a_sub_folder_per_class(tmp_path):
    for i, name in enumerate(("cat", "dog")):
        for j in range(3):
            image(tmp_path / "pets" / name / f"{j}.png", level=100 * i + j)
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("no image")
    content = samples.load(tmp_path / "pets")
    assert content.x.shape == (6, 8, 8, 1) and content.x.dtype == np.uint8
    assert content.x[:, 0, 0, 0].tolist() == [0, 1, 2, 100, 101, 102]
    assert content.y.tolist() == [0, 0, 0, 1, 1, 1] and content.class_names == ("cat", "dog")


def test_a_table_may_list_files(tmp_path):
    image(tmp_path / "a" / "1.png", level=7)
    image(tmp_path / "2.png", level=9)
    content = samples.load(table(tmp_path, "file,label\na/1.png,red\n2.png,blue\n"))
    assert content.x[:, 0, 0, 0].tolist() == [7, 9]
    assert [content.class_names[label] for label in content.y] == ["red", "blue"]
    with pytest.raises(InputError, match="3.png: expected a file that ends in .*, got no file"):
        samples.load(table(tmp_path, "file,label\n3.png,red\n"))


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("P", 3), ("RGBA", 3)])
def test_grey_or_colour_as_the_model_takes_it(tmp_path, mode, channels):
    image(tmp_path / "i.png", (6, 4), mode, level=255)
    assert samples.load(tmp_path / "i.png").x.shape == (1, 4, 6, channels)
    for depth in (1, 3):
        content = samples.load(tmp_path / "i.png", model=Input(24 * depth, "uint8"))
        assert content.x.shape == (1, 4, 6, depth) and content.x.min() == 255
    with pytest.raises(
        InputError, match="of 64 values, as the model takes, got 6 x 4 pixels; res"
    ):
        samples.load(tmp_path / "i.png", model=Input(64, "uint8"))


def test_images_that_are_none_are_refused(tmp_path):
    image(tmp_path / "mixed" / "a" / "1.png")
    image(tmp_path / "mixed" / "a" / "2.png", (9, 8))
    with pytest.raises(InputError, match=r"2.png: expected the size .*, 8x8x1, got 8x9x1; bring"):
        samples.load(tmp_path / "mixed")
    (tmp_path / "mixed" / "b").mkdir()
    with pytest.raises(InputError, match="in each sub-folder, got none in b; remove"):
        samples.load(tmp_path / "mixed")
    (tmp_path / "cut.png").write_bytes((tmp_path / "mixed/a/1.png").read_bytes()[:40])
    with pytest.raises(InputError, match="expected an image, got something else or a part"):
        samples.load(tmp_path / "cut.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a sub-folder of images or .wav files per class, got no"):
        samples.load(tmp_path / "empty")


# ---- sounds -------------------------------------------------------------------------------------


def sound(path, values, rate=8000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(values, "<i2").tobytes())


def test_a_sound_is_cut_into_windows_of_the_model(tmp_path):
    sound(tmp_path / "s" / "on" / "1.wav", np.arange(10) * 3276.8)
    sound(tmp_path / "s" / "off" / "1.wav", [16384, -32768])
    content = samples.load(tmp_path / "s", model=FLOATS)
    assert content.x.shape == (3, 4) and content.y.tolist() == [0, 1, 1]
    assert content.class_names == ("off", "on")
    assert content.x[0].tolist() == [0.5, -1, 0, 0]  # zeros behind a short one
    assert content.x[1:].ravel() == pytest.approx(np.arange(8) / 10, abs=1e-4)  # 8 of 10


def test_a_front_end_is_applied_where_the_model_names_it(tmp_path):
    values = (np.sin(np.arange(8000) / 5) * 9000).astype(np.int16)
    sound(tmp_path / "s.wav", values)
    content = samples.load(tmp_path / "s.wav", model=Input(490, "uint8", "mfcc"))
    assert np.array_equal(content.x, mfcc.as_input(mfcc.FrontEnd().features(values)[None]))
    sound(tmp_path / "fast.wav", np.repeat(values, 2), 16000)
    assert samples.load(tmp_path / "fast.wav", model=Input(490, "uint8", "mfcc")).x.shape[1:] == (
        49, 10, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "expected a model, whose input says how long a window of sound is, got none"),
        (Input(490, "uint8"), "or one that names its front end, got uint8 inputs and no front"),
        (Input(64, "uint8", "mfcc"), "of 490 uint8 inputs, as the front end mfcc makes them"),
        (Input(490, "uint8", "bark"), "expected a front end of mfcc, got bark in the model"),
        (Input(490, "uint8", "mfcc"), "expected 8000 or 16000 samples per second, got 44100"),
    ],
)
def test_a_sound_that_a_model_cannot_take_is_refused(tmp_path, model, message):
    sound(tmp_path / "s.wav", [1, 2, 3], 44100)
    with pytest.raises(InputError, match=message):
        samples.load(tmp_path / "s.wav", model=model)


def test_sounds_that_are_none_are_refused(tmp_path):
    sound(tmp_path / "two.wav", [1, 2, 3, 4], channels=2)
    with pytest.raises(InputError, match="expected one channel of 16 bits, got 2 of 16; convert"):
        samples.load(tmp_path / "two.wav", model=FLOATS)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(InputError, match="expected a .wav file of PCM, got something else"):
        samples.load(tmp_path / "text.wav", model=FLOATS)


# ---- names of classes, and the labels of a model ------------------------------------------------


def test_names_become_the_labels_of_the_model():
    assert names.labels(["cat", "dog"], ["dog", "cow", "cat"], 3) == [2, 0]
    assert names.labels(["3", "7"], [], 10) == [3, 7]
    assert names.labels(["cat", "dog"], [], 2) == [0, 1]
    with pytest.warns(EngramWarning, match="got ant, which the model learns as 3; push"):
        assert names.labels(["ant", "cat"], ["dog", "cow", "cat"], 10) == [3, 2]
    with pytest.raises(InputError, match="of cat, dog, got none, and the model has 10 classes"):
        names.labels(["cat", "dog"], [], 10)
    with pytest.raises(InputError, match="got none, and no model is open; push the model with"):
        names.labels(["cat", "dog"], [], None)


def digit_images(folder, data, labels, count, by_name):
    for label in labels:
        for i, x in enumerate(data.x_train[data.y_train == label][:count]):
            path = folder / (DIGITS[label] if by_name else str(label)) / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(x.reshape(8, 8)).save(path)
    return folder


@pytest.mark.parametrize("by_name", [True, False])
def test_a_board_learns_from_a_folder_of_images(device, model, data, tmp_path, by_name):
    """To the same result as from arrays of the same samples."""
    folder = digit_images(tmp_path / "digits", data, (5, 7), 12, by_name)
    api.push_model(device, model, class_names=DIGITS if by_name else None)
    api.push_data(device, folder)
    assert sorted(set(device.labels("test").tolist())) == [5, 7]
    result = api.learn(device, folder, epochs=2)
    assert result.summary["classes"] == {"5": 12, "7": 12}
    scores = api.eval(device, folder)
    assert scores["n"] == 24 and scores["total"][5] == scores["total"][7] == 12
    assert api.eval(device, folder, stream=True) == scores
    assert len(api.predict(device, folder)) == 24


def test_a_board_rehearses_a_folder_of_images(device, model, data, tmp_path):
    folder = digit_images(tmp_path / "digits", data, (0, 4), 6, by_name=True)
    api.push_model(device, model)
    with pytest.raises(InputError, match="expected class names to find the labels of four, zero"):
        api.rehearse(device, folder)
    result = api.rehearse(device, folder, class_names=DIGITS)
    assert result.summary["classes"] == {"0": 6, "4": 6} and result.summary["stored"] == 12


def test_a_board_learns_from_a_table_as_from_arrays(device, tmp_path):
    api.push_model(device, regression_model.write(tmp_path / "m", "classes"))
    some = regression_model.some(30, "classes")
    rows = [",".join([*map(repr, map(float, x)), str(y)]) for x, y in zip(some.x, some.y)]
    path = table(tmp_path, "a,b,c,d,label\n" + "\n".join(rows) + "\n")
    assert api.eval(device, path) == api.eval(device, some)
    assert api.learn(device, path).summary["samples"] == 30
    assert api.learn_stream(device, path, sessions="0-2", fresh=True).summary["samples"] == 30


def test_convert_calibrates_with_a_folder_and_names_the_front_end(tmp_path, data):
    from engram_host import boards

    source = boards.home() / "examples" / "digits" / "digits_float.safetensors"
    folder = digit_images(tmp_path / "digits", data, range(10), 5, by_name=True)
    words = "convert", source, "--out", tmp_path / "d", "--front-end", "mfcc", "--data"
    result = command.run(*words, folder)
    assert result.exit_code == 0, result.stderr
    assert model_file.read(tmp_path / "d")[1]["front_end"] == "mfcc"
    pixels = np.concatenate([data.x_train[data.y_train == c][:5] for c in range(10)])
    order = np.argsort(DIGITS)
    np.savez(tmp_path / "x.npz", x=np.concatenate([pixels[5 * c : 5 * c + 5] for c in order]))
    first = json.loads(command.run(*words, folder, "--json").stdout)
    assert json.loads(command.run(*words, tmp_path / "x.npz", "--json").stdout) == first
