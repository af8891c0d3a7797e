"""What is left to the data: values by hand, who has the last word, what a run that goes on keeps."""

import json

import gin
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans import config, distribute
from tfgans.config import ConfigError
from tfgans.config.bindings import MACRO
from tfgans.data import Dataset
from tfgans.run import auto_images, build

LEFT = """
resolution = "auto"
channels = "auto"
num_classes = "auto"
batch_size = "auto"
r1_weight = "auto"
ema_half_life = "auto"
Dataset.source = "folder:images"
Dataset.resolution = %resolution
Dataset.channels = %channels
Dataset.num_classes = %num_classes
Dataset.batch_size = %batch_size
R1GAN.r1_weight = %r1_weight
GAN.ema_half_life = %ema_half_life
"""
NAMES = ("resolution", "channels", "num_classes", "batch_size", "r1_weight", "ema_half_life")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.gin").write_text(LEFT)
    return tmp_path


def draw(folder, sizes, mode="RGB", name="images"):
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes):
        Image.new(mode, size).save(folder / name / f"{number:04d}.png")


def found(*params, flags=None, run_folder=None):
    build.prepare(["run.gin"], params, flags, run_folder)
    return dict(zip(NAMES, (gin.query_parameter(f"%{name}") for name in NAMES), strict=True))


def test_rules_by_hand(folder, caplog):
    """Shorter sides 70, 130, 150: the median is 130, and 128 the largest power of two below it."""
    caplog.set_level("INFO", "tfgans")
    draw(folder, [(70, 90), (130, 131), (300, 150)] * 20)
    values = found()
    assert values["resolution"] == 128 and values["channels"] == 3 and values["num_classes"] is None
    assert values["batch_size"] == 32  # min(4096 / 128, 32)
    assert values["r1_weight"] == pytest.approx(0.0002 * 128**2 / 32, rel=1e-12)  # 0.1024 in the spec's table
    assert values["ema_half_life"] == 10_000  # 32 * 10 / 32 thousand
    for name in NAMES:
        assert f"auto: {name} = {values[name]}, " in caplog.text
    assert "as half of the images have 130 pixels or more" in caplog.text


@pytest.mark.parametrize(
    ("sizes", "resolution"),
    [([(128, 200)] * 3, 128), ([(127, 200)] * 3, 64), ([(2000, 2000)] * 3, 128), ([(5, 9)] * 3, 8)],
)
def test_the_resolution_is_a_power_of_two_within_bounds(folder, sizes, resolution):
    draw(folder, sizes)
    values = found()
    assert values["resolution"] == resolution
    assert values["batch_size"] == 3  # no more than there are


@pytest.mark.parametrize(("large", "resolution"), [(2, 64), (3, 128)])
def test_the_resolution_is_one_that_half_of_the_images_reach(folder, caplog, large, resolution):
    """Of six: with three of 128 pixels half reach 128, though the mean of the middle two is 114."""
    caplog.set_level("INFO", "tfgans")
    draw(folder, [(100, 100)] * (6 - large) + [(128, 128)] * large)
    assert found()["resolution"] == resolution
    assert f"as half of the images have {(100, 128)[large // 3]} pixels or more" in caplog.text


def test_gray_images_and_classes(folder):
    draw(folder, [(32, 32)] * 10, "L", "images/cat")
    draw(folder, [(32, 32)] * 11, "L", "images/dog")
    values = found()
    assert (values["channels"], values["num_classes"]) == (1, 2)
    Image.new("RGB", (32, 32)).save(folder / "images/dog/0000.png")
    (folder / "images/cat/0009.png").unlink()
    values = found()
    assert (values["channels"], values["num_classes"]) == (3, None)


def test_one_folder_around_all_images_is_no_class_to_train_with(folder, caplog):
    caplog.set_level("INFO", "tfgans")
    draw(folder, [(20, 20)] * 12, name="images/all")
    assert found()["num_classes"] is None
    assert "auto: num_classes = None, as all images are of one class" in caplog.text


def test_what_is_given_has_the_last_word_and_decides_the_rest(folder):
    draw(folder, [(70, 90)] * 64)
    values = found("resolution=16", flags={"batch_size": 8})
    assert (values["resolution"], values["batch_size"]) == (16, 8)
    assert values["r1_weight"] == pytest.approx(0.0002 * 256 / 8, rel=1e-12)
    assert values["ema_half_life"] == 2500
    assert found("num_classes=None")["num_classes"] is None


def test_shapes_and_alpha_are_for_those_who_ask(folder, caplog):
    """Squares of RGB, and what else there is to have; of (16, 64) the side is the root of the product, 32."""
    caplog.set_level("INFO", "tfgans")
    draw(folder, [(64, 16)] * 40)
    draw(folder, [(64, 16)] * 10, "RGBA", "images/more")
    for path in (folder / "images").glob("*.png"):
        path.rename(folder / "images/more" / f"opaque_{path.name}")
    values = found()
    assert (values["resolution"], values["channels"]) == (16, 3)
    assert "squares are cut out, as all are 16 high and 64 wide: HxW keeps a shape" in caplog.text
    assert "as there are colours; 10 of 50 have alpha, which channels = 4 keeps" in caplog.text
    values = found("resolution=(16, 64)", flags={"channels": 4})
    assert (values["resolution"], values["channels"], values["batch_size"]) == ((16, 64), 4, 32)
    assert values["r1_weight"] == pytest.approx(0.0002 * 16 * 64 / 32, rel=1e-12)


def test_an_archive_is_looked_at_too(folder):
    images = np.zeros((40, 20, 24, 3), np.uint8)
    np.savez(folder / "set.npz", images=images, labels=np.arange(40) % 4)
    values = found(flags={"data": "set.npz"})
    assert (values["resolution"], values["channels"], values["num_classes"]) == (16, 3, 4)


def test_a_run_keeps_what_it_began_with(folder):
    draw(folder, [(70, 90)] * 40)
    (folder / "run").mkdir()
    (folder / "run/operative.gin").write_text(
        "resolution = 32\nchannels = 1\nnum_classes = None\nbatch_size = 5\nr1_weight = 0.5\nema_half_life = 7.0\n"
    )
    assert list(found(run_folder="run").values()) == [32, 1, None, 5, 0.5, 7.0]


def test_data_that_cannot_be_looked_at_are_one_line(folder):
    with pytest.raises(ConfigError, match="folder images has no images: it does not exist"):
        found()
    (folder / "images").mkdir()
    (folder / "images/a.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match="folder:images: none of 1 images can be read"):
        found()
    with pytest.raises(ConfigError, match="ring has points"):
        found(flags={"data": "ring"})


def test_values_stand_where_auto_stood(folder):
    """So one that nothing uses is let go like any in a file: it is no binding of the command line."""
    draw(folder, [(20, 20)] * 3)
    given = config.read(["run.gin"], (), {"batch_size": 3})[("batch_size", MACRO)]["value"]
    assert (given.value, given.place.binding, given.place.file) == (3, None, "run.gin")
    assert given.place.line == LEFT.splitlines().index('batch_size = "auto"') + 1


def test_a_batch_leaves_images_for_each_discriminator_step(folder):
    draw(folder, [(64, 64)] * 23)
    assert found()["batch_size"] == 23
    for bindings in (["GAN.discriminator_steps = 5"], ["n = 5", "GAN.discriminator_steps = %n"]):
        assert found(*bindings)["batch_size"] == 4


@pytest.mark.parametrize(
    "name", ["GAN.discriminator_steps", "build.accumulation_steps", "strategy.virtual_devices"]
)
def test_a_number_of_parts_that_is_none_is_refused_by_name(folder, name):
    draw(folder, [(64, 64)] * 23)
    for value in ("0", "'many'"):
        with pytest.raises(ConfigError, match=f"^{name} is .*Received: {value}"):
            found(f"{name} = {value}")


@pytest.mark.parametrize(
    ("gpus", "params", "batch_size"),
    [
        (0, ["strategy.kind = 'mirrored'", "strategy.virtual_devices = 4"], 20),
        (0, ["strategy.virtual_devices = 4"], 23),  # which `auto` does not use
        (0, ["build.accumulation_steps = 2"], 22),
        (4, ["strategy.kind = 'one_device'", "build.accumulation_steps = 5"], 20),
        (4, [], 20),
        (4, ["build.accumulation_steps = 2"], 16),
        (12, ["build.accumulation_steps = 2"], 24),  # one image each: what is refused then is too few images
    ],
)
def test_a_batch_can_be_cut_among_replicas_and_micro_batches(folder, monkeypatch, gpus, params, batch_size):
    draw(folder, [(64, 64)] * 23)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["GPU"] * gpus)
    assert found(*params)["batch_size"] == batch_size


@pytest.mark.parametrize(("gpus", "workers", "batch_size"), [(3, 0, 63), (6, 0, 60), (2, 3, 60), (0, 5, 30)])
def test_a_batch_can_be_cut_among_any_number_of_gpus_and_workers(
    folder, monkeypatch, gpus, workers, batch_size
):
    """Of 128 pixels 32 a GPU, at most 64 in all, and 32 where there is none."""
    draw(folder, [(128, 128)] * 70)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["GPU"] * gpus)
    monkeypatch.setattr(distribute, "workers", lambda: workers)
    values = found()
    assert values["batch_size"] == batch_size
    assert values["r1_weight"] == pytest.approx(0.0002 * 128**2 / batch_size, rel=1e-12)
    if workers:
        assert found("strategy.kind = 'mirrored'")["batch_size"] == {2: 64, 0: 32}[gpus]


def trained_on(*params, flags=None):
    """What `found` gives, and the data set of the same configuration, whose batch fits."""
    values, dataset = found(*params, flags=flags), Dataset()
    dataset.check(1)
    return values, dataset


def test_labels_that_nobody_uses_may_be_anything(folder):
    draw(folder, [(16, 16)] * 20)
    labels = [[f"{number:04d}.png", [0.5, number]] for number in range(20)]
    (folder / "images/dataset.json").write_text(json.dumps({"labels": labels}))
    with pytest.raises(ConfigError, match="dataset.json.*Dataset.use_labels = False trains without labels"):
        found()
    assert found(flags={"num_classes": 0})["num_classes"] is None
    for flags in (None, {"num_classes": 0}):
        values, dataset = trained_on("Dataset.use_labels=False", flags=flags)
        assert (values["num_classes"], values["batch_size"], dataset.labels) == (None, 20, None)


def draw_classes(folder, count, mode="L", names=("bird", "cat", "dog")):
    for name in names:
        draw(folder, [(32, 32)] * count, mode, f"images/{name}")


def test_classes_are_those_that_are_trained_with(folder, caplog):
    """Of cat, dog and bird the last alone are in colour and small: without them images are gray, and of 32 pixels."""
    caplog.set_level("INFO", "tfgans")
    draw_classes(folder, 12, names=("cat", "dog"))
    draw(folder, [(16, 16)] * 40, "RGB", "images/bird")
    assert found()["num_classes"] == 3
    (folder / "kept.txt").write_text("dog\ncat\n")
    for chosen in ('Dataset.classes=["dog", "cat"]', 'Dataset.classes_file="kept.txt"'):
        values, dataset = trained_on(chosen)
        assert [values[name] for name in NAMES[:4]] == [32, 1, 2, 24]
        assert dataset.class_names == ["dog", "cat"] and dataset.label_counts.tolist() == [12, 12]
        assert "auto: batch_size = 24, for 24 images of 32x32" in caplog.text
    values, dataset = trained_on('Dataset.classes=["dog"]', "Dataset.use_labels=False")
    assert (values["num_classes"], values["batch_size"], dataset.labels) == (None, 12, None)
    assert "auto: num_classes = None, as Dataset.use_labels is False" in caplog.text
    assert trained_on("Dataset.use_labels=False")[0]["num_classes"] is None


def test_a_fraction_and_a_half_are_counted(folder):
    """Of 12 images of each class half are trained on, fewer than 10 of one: there are no classes."""
    draw_classes(folder, 12)
    assert found()["num_classes"] == 3
    values, dataset = trained_on("Dataset.fraction=0.5")
    assert values["batch_size"] == dataset.num_examples == 18 and values["num_classes"] is None
    values, dataset = trained_on("Dataset.fraction=0.5", "Dataset.half=1")
    assert values["batch_size"] == dataset.num_examples == 9
    first = ("Dataset.fraction=0.34", 'Dataset.fraction_order="first"')
    assert found(*first)["batch_size"] == 12  # all of the first class
    draw(folder, [(8, 8)] * 12, "RGB", "images/dog")
    assert [found(*first)[name] for name in NAMES[:2]] == [32, 1]


def spoil(folder):
    """Makes four of the images bad: truncated, empty, no image, too small for 32 pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "images/0003.png")
    data = (folder / "images/0003.png").read_bytes()
    (folder / "images/0003.png").write_bytes(data[: len(data) // 2])
    (folder / "images/0007.png").write_bytes(b"")
    (folder / "images/0009.png").write_bytes(b"no image")
    Image.new("RGB", (7, 40)).save(folder / "images/0010.png")


def test_images_that_are_left_out_are_not_counted(folder):
    """20 images less four are 16, of which 0.9 is 14.4."""
    draw(folder, [(32, 32)] * 20)
    spoil(folder)
    skip = 'Dataset.on_bad_image="skip"'
    values, dataset = trained_on(skip)
    assert (values["resolution"], values["batch_size"], dataset.skipped) == (32, 16, 4)
    values, dataset = trained_on(skip, "Dataset.fraction=0.9")
    assert values["batch_size"] == dataset.num_examples == 14
    assert trained_on(skip, "Dataset.min_size=1")[0]["batch_size"] == 17
    assert trained_on(skip, "resolution=16")[0]["batch_size"] == 17
    with pytest.raises(ConfigError, match="4 of 20 images cannot be used"):
        trained_on()


def test_of_many_images_the_headers_count(folder, monkeypatch):
    monkeypatch.setattr(auto_images, "_LOOKED_AT", 16)
    draw(folder, [(32, 32)] * 20)
    spoil(folder)
    assert found('Dataset.on_bad_image="skip"')["batch_size"] == 17


def test_without_an_image_that_can_be_used_there_is_one_line(folder):
    (folder / "images").mkdir()
    for number in range(2):
        (folder / f"images/{number}.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match="^folder:images: none of 2 images can be used$"):
        found('Dataset.on_bad_image="skip"')


@pytest.mark.parametrize(
    ("binding", "line"),
    [
        ('Dataset.fraction="half"', r"Dataset.fraction is a number in \(0, 1\]. Received: 'half'"),
        (
            "Dataset.classes=[7]",
            "Dataset.classes has an unknown class 7. Allowed: 0 to 2 or one of bird, cat",
        ),
        ("Dataset.fraction=0.001", "Dataset.fraction = 0.001 leaves nothing of 36 images"),
    ],
)
def test_what_chooses_images_is_checked_before(folder, binding, line):
    draw_classes(folder, 12)
    with pytest.raises(ConfigError, match=f"^{line}"):
        found(binding)
