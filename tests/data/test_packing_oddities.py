"""Packing where names, folders and options are not as one expects."""

import functools
import json
import os
import resource

import gin
import image_sets
import numpy as np
import pytest
from image_sets import packed
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, packing, recoding, shards
from tfgans.data.packed import Packed
from tfgans.data.stacked import Stacked
from tfgans.run import packs, sets
from tfgans.run.auto_images import Images
from tfgans.run.flag_bindings import source_of


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("oddities") / "images"
    image_sets.make(root, "classes")
    return root


@pytest.mark.parametrize("overwrite", [False, True])
def test_hidden_files_of_the_user_stay(images, tmp_path, overwrite):
    """Only what an earlier packing left goes, with the parts of its files that were being written."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("mine")
    (tmp_path / ".env").write_text("mine")
    (tmp_path / ".manifest.json.part7").write_text("torn")
    packed(images, tmp_path, overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".env", ".git", "manifest.json", "train-00000-of-00001.array_record", "train.index.npz"
    ]  # fmt: skip
    assert (tmp_path / ".git" / "config").read_text() == (tmp_path / ".env").read_text() == "mine"


def test_names_that_are_no_unicode(tmp_path):
    """Linux takes any bytes for names; Python shows those that are no UTF-8 as surrogates."""
    root = tmp_path / "images" / "cl\udcffass"
    root.mkdir(parents=True)
    for k, name in enumerate(("\udcff.png", "é 日本.png")):
        with open(root / name, "wb") as file:
            Image.new("L", (8, 8), k).save(file, "PNG")
    found = Dataset(packed(tmp_path / "images", tmp_path / "x\udcff"), batch_size=1)
    folder = Dataset(f"folder:{tmp_path}/images", batch_size=1)
    assert found.contents() == folder.contents() and found.class_names == ["cl\udcffass"]
    assert found.contents().names == [f"cl\udcffass/{name}" for name in ("é 日本.png", "\udcff.png")]
    assert os.fsencode(found.contents().names[1]).endswith(b"/\xff.png")
    np.testing.assert_array_equal(next(found.reference())[0], next(folder.reference())[0])


OPTIONS = {
    "resolution": ([8], "its resolution is an integer of at least 1 or "),
    "crop": (5, "its crop is one of center, random, none. Received: 5"),
    "channels": (7, "its channels is one of 1, 2, 3, 4 or None. Received: 7"),
    "background": (7, "its background is the name of a colour"),
    "default_resolution": ("a", "its default_resolution is an integer"),
    "class_names": ("cats", "its class_names are no list of texts. Received: 'cats'"),
    "records": ("raw", "has no raw pixels of 16x16"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_edited_manifest_is_one_line(tmp_path, alpha, name):
    value, line = OPTIONS[name]
    source = packed(alpha, tmp_path / "x")
    about = json.loads((tmp_path / "x" / "manifest.json").read_text())
    place = next(place for place in (about["splits"]["train"], about["options"], about) if name in place)
    place[name] = value
    (tmp_path / "x" / "manifest.json").write_text(json.dumps(about))
    with pytest.raises(ConfigError) as caught:
        Dataset(source, batch_size=1)
    assert line in str(caught.value).splitlines()[0]


@pytest.fixture(scope="module")
def alpha(tmp_path_factory):
    """Two images of 16 x 16 with colours and alpha."""
    root, draws = tmp_path_factory.mktemp("alpha"), np.random.default_rng(0)
    for k in range(2):
        Image.fromarray(draws.integers(0, 256, (16, 16, 4), np.uint8)).save(root / f"{k}.png")
    return root


LOST = {None: {2: "alpha", 4: "alpha"}, 1: {2: "alpha", 3: "colours", 4: "colours"}, 2: {3: "colours", 4: "colours"},
        3: {2: "alpha", 4: "alpha"}, 4: {}}  # fmt: skip


@pytest.mark.parametrize("kept", LOST)
def test_channels_that_were_not_packed_are_refused(alpha, tmp_path, kept):
    source = packed(alpha, tmp_path / "x", {"resolution": 8, "channels": kept})
    for channels in (None, 1, 2, 3, 4):
        if channels in LOST[kept]:
            with pytest.raises(ConfigError) as caught:
                Dataset(source, channels=channels)
            assert str(caught.value) == (
                f"{tmp_path}/x is packed with {kept or '1 or 3'} channels, without {LOST[kept][channels]}. "
                f"Received: Dataset.channels = {channels}; pack with --channels={channels}, or without --resolution"
            )
        else:
            found = next(Dataset(source, channels=channels, batch_size=1).reference())[0].astype(int)
            wanted = channels or (1 if kept in (1, 2) else 3)
            folder = Dataset(f"folder:{alpha}", resolution=8, channels=wanted, batch_size=1)
            apart = 0 if wanted == (kept or 3) else 40  # alpha is composited before and after the resize
            assert np.abs(found - next(folder.reference())[0]).max() <= apart


def test_a_background_is_a_colour_and_not_its_name(alpha, tmp_path):
    source = packed(alpha, tmp_path / "x", {"resolution": 8})
    assert Dataset(source, background="#ffffff", batch_size=1).num_examples == 2
    kept = packed(alpha, tmp_path / "y", {"resolution": 8, "channels": 4})  # which is on none
    black = Dataset(kept, background="black", channels=3, batch_size=1)
    white = Dataset(kept, channels=3, batch_size=1)
    assert next(black.reference())[0].mean() < next(white.reference())[0].mean() - 50


@pytest.mark.parametrize(("name", "value"), [("channels", 1), ("crop", "none"), ("background", "red")])
def test_what_needs_a_resolution_is_not_passed_over(alpha, tmp_path, name, value):
    with pytest.raises(
        ConfigError, match=f"^--{name}={value} needs --resolution: without one images are pack"
    ):
        packed(alpha, tmp_path / "x", {name: value})
    assert not (tmp_path / "x").exists()


def test_a_manifest_of_another_program_is_none(images, tmp_path):
    """It lies among images; a packed data set whose manifest is damaged is one still, and is named as such."""
    root = tmp_path / "images"
    root.mkdir()
    for k in range(2):
        Image.new("L", (8, 8), k).save(root / f"{k}.png")
    (root / "manifest.json").write_text('{"name": "a web page"}')
    assert source_of(str(root)) == f"folder:{root}"
    assert Dataset(source_of(str(root)), batch_size=1).num_examples == 2
    with pytest.raises(ConfigError, match="is no packed data set|it has no 'packed'"):
        Dataset(f"packed:{root}")
    with pytest.raises(ConfigError, match="has a packed data set already|is not empty"):
        packed(images, root)
    source = packed(root, tmp_path / "x")
    assert source_of(source.removeprefix("packed:")) == source
    for text in ("{", '{"packed": 1', "\udcff"):
        (tmp_path / "x" / "manifest.json").write_bytes(os.fsencode(text))
        assert source_of(source.removeprefix("packed:")) == source


def test_a_split_that_was_not_packed_is_named_wherever_it_is_asked_for(tmp_path):
    source = packed("digits", tmp_path / "x", splits=["test"])
    line = rf"^{source} has no split 'train'. Allowed: test$"
    with pytest.raises(ConfigError, match=line):
        Stacked(source).open("train")
    assert len(Stacked(source, count=5).open("test")) == 5
    with gin.unlock_config():
        gin.parse_config(f"Dataset.source = {source!r}")
    with pytest.raises(ConfigError, match=line):
        Images()
    with gin.unlock_config():
        gin.parse_config("Dataset.split = 'test'")
    assert Images().count == 359
    gin.clear_config()


def test_an_at_sign_in_a_path_is_no_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me@home").mkdir()
    for text in ("me@home", "folder:me@home", "packed:me@home", f"folder:{tmp_path}/me@home"):
        assert sets._without_split(text) == (text, None)
    assert sets._without_split("packed:me@home@test") == ("packed:me@home", "test")
    assert sets._without_split("digits@test") == ("digits", "test")


def half_packed(monkeypatch, source, output, **options):
    """Packs two images a file; ends as a killed process after the second of three files."""
    names, replace = [], os.replace

    def counted(*arguments):
        names.append(arguments[1])
        if len(names) == 4:  # plan, and for each file its rows
            raise KeyboardInterrupt
        return replace(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", counted)
        packed(source, output, images_per_shard=2, **options)


def test_images_that_changed_between_two_halves_are_packed_anew(tmp_path, monkeypatch):
    images = np.arange(6, dtype=np.uint8).repeat(48).reshape(6, 4, 4, 3)
    np.savez(tmp_path / "x.npz", images=images)
    half_packed(monkeypatch, tmp_path / "x.npz", tmp_path / "x")
    images[2:] += 100  # as many, of the same names
    np.savez(tmp_path / "x.npz", images=images)
    read, original = [], recoding.Recoder.__call__
    monkeypatch.setattr(recoding.Recoder, "__call__", lambda self, i: read.append(i) or original(self, i))
    found = Dataset(packed(tmp_path / "x.npz", tmp_path / "x", images_per_shard=2), batch_size=1)
    assert next(found.reference())[0][:, 0, 0, 0].tolist() == [0, 1, 102, 103, 104, 105]
    assert read == [2, 3, 4, 5]


def test_what_the_first_half_left_out_is_not_left_out_unasked(images, tmp_path, monkeypatch):
    root = tmp_path / "images"
    root.mkdir()
    for k in range(6):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (8, 8), np.uint8)).save(root / f"{k}.png")
    (root / "1.png").write_bytes((root / "1.png").read_bytes()[:-30])
    half_packed(monkeypatch, root, tmp_path / "x", skip=True)
    with pytest.raises(
        ConfigError, match=r"1 of 6 images cannot be used: 1.png \(truncated\); --on_bad_image=sk"
    ):
        packed(root, tmp_path / "x", images_per_shard=2)
    assert (
        Dataset(packed(root, tmp_path / "x", images_per_shard=2, skip=True), batch_size=1).num_examples == 5
    )


def test_what_was_mended_between_two_halves_is_packed(tmp_path, monkeypatch):
    """Image 1 is mended, 0 is another bad one than it was, 2 is what it was: what has them is packed anew."""
    root, pixels = tmp_path / "images", np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    root.mkdir()
    for k in range(6):
        Image.fromarray(pixels[k]).save(root / f"{k}.png")
    whole = (root / "1.png").read_bytes()
    for k in range(3):
        (root / f"{k}.png").write_bytes(whole[:-30])
    half_packed(monkeypatch, root, tmp_path / "x", skip=True)
    (root / "1.png").write_bytes(whole)
    (root / "0.png").write_text("no image")
    read, original = [], recoding.Recoder.__call__
    monkeypatch.setattr(recoding.Recoder, "__call__", lambda self, i: read.append(i) or original(self, i))
    found = Dataset(packed(root, tmp_path / "x", images_per_shard=2, skip=True), batch_size=1)
    np.testing.assert_array_equal(next(found.reference())[0][..., 0], pixels[[1, 3, 4, 5]])
    assert found._origin.manifest.splits["train"].skipped == [
        ["0.png", "not a jpg, png, webp, bmp or gif image"],
        ["2.png", "truncated"],
    ]
    assert read == [0, 0, 1, 2, 4, 5]  # each that was left out once more, then what is not finished


def test_a_zip_takes_no_labels_below_0(tmp_path):
    """As of test images whose class nobody tells; StyleGAN's tool would take -1 for the last class."""
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8, 3), np.uint8), labels=np.array([0, -1, 1]))
    pack = functools.partial(
        packs.pack, output=tmp_path / "x.zip", form=recoding.Form(), options=packing.Options()
    )
    with pytest.raises(
        ConfigError, match="is for labels from 0: .* has images without one, -1; --nolabels leaves"
    ):
        pack(packs.Origin(str(tmp_path / "x.npz")), kind="zip")
    assert not (tmp_path / "x.zip").exists()
    assert pack(packs.Origin(str(tmp_path / "x.npz"), use_labels=False), kind="zip")["images"] == 3


def test_what_is_packed_is_packed_again(images, tmp_path):
    """It stays what it is; what would need the originals is refused, as it is in training."""
    small = packed(images, tmp_path / "x", {"resolution": 16, "crop": "none"})
    again = packed(small, tmp_path / "y")
    for name in ("resolution", "crop", "channels", "background"):
        assert Packed(tmp_path / "y").manifest.options[name] == Packed(tmp_path / "x").manifest.options[name]
    assert Dataset(again, batch_size=2).contents() == Dataset(small, batch_size=2).contents()
    uses = {
        "is packed at 16x16, too small for": {"resolution": 17},
        "is packed with crop 'none'": {"resolution": 16, "crop": "random"},
        "is packed with 1 or 3 channels, without alpha": {"resolution": 16, "channels": 4},
    }
    for line, form in uses.items():
        with pytest.raises(ConfigError, match=line):
            packed(small, tmp_path / "z", form)
    assert Dataset(packed(small, tmp_path / "z", {"resolution": 8}), batch_size=2).item_shape == (8, 8, 3)


def test_gray_images_get_colours_from_behind(tmp_path):
    """Of gray ones among others; where all are gray the background is, too."""
    for name, mode in (("a", "LA"), ("b", "L"), ("c", "RGB")):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new(mode, (8, 8), {"LA": (90, 40), "L": 90, "RGB": (90, 40, 0)}[mode]).save(
            tmp_path / "images" / f"{name}.png"
        )
    options = {"resolution": 8, "background": "red"}
    for left in ("abc", "ab"):
        source = packed(tmp_path / "images", tmp_path / left, options)
        found = Dataset(source, background="red", batch_size=1)
        folder = Dataset(f"folder:{tmp_path}/images", **options, batch_size=1)
        np.testing.assert_array_equal(next(found.reference())[0], next(folder.reference())[0])
        (tmp_path / "images" / "c.png").unlink(missing_ok=True)


def test_a_shard_that_cannot_be_opened_is_not_called_damaged(images, tmp_path):
    source = packed(images, tmp_path / "x")
    dataset = Dataset(source, resolution=8, batch_size=2, memory_limit_gb=0.0)
    shard = tmp_path / "x" / "train-00000-of-00001.array_record"
    os.rename(shard, tmp_path / "moved")
    with pytest.raises(ConfigError, match=rf"cannot be read any more \({shard}: No such file or directory\)"):
        next(dataset.reference())
    os.rename(tmp_path / "moved", shard)
    assert len(next(dataset.reference())[0]) == 12
    about = Packed(tmp_path / "x").manifest.splits["train"].shards[0]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        found = shards.check(tmp_path / "x", about)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert found == f"{shard} cannot be opened: Too many open files"


def test_a_conversion_after_the_resize_is_told(alpha, tmp_path, caplog):
    caplog.set_level("INFO", "tfgans")
    source = packed(alpha, tmp_path / "x", {"resolution": 8, "channels": 4})
    plain = packed(alpha, tmp_path / "y", {"resolution": 8})
    for options, told in (
        ((source, 4), 0),
        ((plain, None), 0),
        ((plain, 3), 0),
        ((source, None), 1),
        ((source, 3), 2),
    ):
        Dataset(options[0], channels=options[1], batch_size=1)
        assert (
            caplog.text.count("channels of images are converted once more, after they were resized") == told
        )
