"""Metrics between two sets of images, as `launch/fid.py` prints them."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image
from two_sets import between

from tfgans.config import ConfigError
from tfgans.data import Dataset, to_uint8
from tfgans.evaluate import kernel_distances
from tfgans.evaluate.features import DigitsFeatures


def by_hand(real, fake):
    """The Frechet distance of the same features by the textbook's formula."""
    from scipy.linalg import sqrtm

    x, y = (DigitsFeatures()(images)["features"].astype(np.float64) for images in (real, fake))
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.trace(sqrtm(first @ second).real)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(first) + np.trace(second) - 2 * root


def test_two_folders_are_what_numpy_says(folders):
    root, arrays = folders
    found = between(root / "real", root / "fake", ("fid", "cmmd", "kid"))
    assert found["fid"] == pytest.approx(
        by_hand(arrays["real"], arrays["fake"]), rel=1e-4
    )  # 64 features, 40 images
    x, y = (DigitsFeatures()(arrays[name])["features"] for name in ("real", "fake"))
    assert found["cmmd"] == pytest.approx(kernel_distances.cmmd(x, y), rel=1e-6)
    assert (found["num_reference"], found["num_samples"], found["features"]) == (40, 30, "digits_classifier")
    assert found["first"].endswith("real") and found["second"].endswith("fake")
    json.dumps(found, allow_nan=False)


def test_the_result_says_of_which_sizes_the_images_were(folders, tmp_path, caplog):
    root, arrays = folders
    side = arrays["real"].shape[1]
    same = between(root / "real", root / "fake")
    assert (same["first_size"], same["second_size"]) == ([side, side], [side, side])
    assert "--resolution" not in caplog.text
    brought = between(root / "real", root / "fake", resolution=(8, 16))
    assert (brought["first_size"], brought["second_size"]) == ([8, 16], [8, 16])
    for number, image in enumerate(arrays["fake"][:12]):
        (tmp_path / "small").mkdir(exist_ok=True)
        Image.fromarray(np.squeeze(image)).resize((8, 10)).save(tmp_path / "small" / f"{number}.png")
    between(root / "real", None, save=tmp_path / "real.npz")
    for first in (root / "real", tmp_path / "real.npz"):
        caplog.clear()
        other = between(first, tmp_path / "small")
        assert (other["first_size"], other["second_size"]) == ([side, side], [10, 8])
        small = f"{tmp_path / 'small'} are 10 high and 8 wide"
        line = f"images of {first} are {side}x{side}, and those of {small}: --resolution brings"
        assert sum(message.startswith(line) for message in caplog.messages) == 1
    plain = {name: array for name, array in np.load(tmp_path / "real.npz").items() if name != "size"}
    np.savez(tmp_path / "plain.npz", **plain)
    assert "first_size" not in between(tmp_path / "plain.npz", tmp_path / "small")


def test_the_same_images_are_at_no_distance_and_no_new_ones(folders):
    root, _ = folders
    found = between(root / "real", root / "real", ("fid", "mind", "cmmd", "memorization", "precision_recall"))
    assert found["fid"] == pytest.approx(0.0, abs=1e-3) and found["mind"] == pytest.approx(0.0, abs=1e-6)
    assert found["auth_pct"] == 0.0 and found["precision"] == found["recall"] == 1.0


def odd_pictures(folder):
    """Writes pictures of 9x9 in modes that are not plain RGB; returns their pixels as training has them, by hand."""
    folder.mkdir()
    draws, expected = np.random.default_rng(3), []
    for number in range(12):
        plain = draws.integers(0, 256, (3, 3, 3)).astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1)
        path = folder / f"{number:02d}.png"
        if number % 4 == 0:  # 16 bits
            Image.fromarray(plain[..., 0].astype(np.uint16) * 257).save(path)
            plain = plain[..., :1].repeat(3, axis=-1)
        elif number % 4 == 1:  # a palette of its 9 colours
            colours, index = np.unique(plain.reshape(-1, 3), axis=0, return_inverse=True)
            image = Image.fromarray(index.reshape(9, 9).astype(np.uint8), "P")
            image.putpalette(colours.ravel().tolist())
            image.save(path)
        elif number % 4 == 2:  # half transparent at the left, on white
            alpha = np.full((9, 9, 1), 255, np.uint8)
            alpha[:, :3] = 51
            Image.fromarray(np.concatenate([plain, alpha], axis=-1)).save(path)
            share = alpha / 255.0
            plain = np.rint(plain * share + 255.0 * (1.0 - share))
        else:
            ink = np.concatenate([255 - plain, np.zeros((9, 9, 1), np.uint8)], axis=-1)
            Image.fromarray(ink, "CMYK").save(path.with_suffix(".jpg"), quality=100)
        expected.append(plain)
    return np.array(expected, np.uint8)


def test_pictures_of_all_modes_are_as_in_training(folders, tmp_path):
    root, _ = folders
    expected = odd_pictures(tmp_path / "odd")
    data = Dataset(f"folder:{tmp_path / 'odd'}", batch_size=12)
    trained_on = to_uint8(next(iter(data.batches(1, 0)))["images"][0].numpy())
    order = np.lexsort(trained_on.reshape(12, -1).T)
    (compared,) = (images for images, _ in data.examples(12))
    np.testing.assert_array_equal(trained_on[order], compared[np.lexsort(compared.reshape(12, -1).T)])
    np.testing.assert_allclose(
        compared.astype(int), expected, atol=4
    )  # JPEG's colours of few pixels; others 1
    np.savez(tmp_path / "odd.npz", images=compared)
    names = ("fid", "kid", "memorization")
    found = between(root / "real", tmp_path / "odd", names)
    assert found == between(root / "real", tmp_path / "odd.npz", names) | {"second": found["second"]}
    same = between(tmp_path / "odd", tmp_path / "odd.npz", names)
    assert same["fid"] == pytest.approx(0.0, abs=1e-3) and same["auth_pct"] == 0.0


def test_bad_files_of_either_side_are_all_named(folders, tmp_path):
    root, _ = folders
    shutil.copytree(root / "fake", tmp_path / "cut")
    whole = (tmp_path / "cut" / "007.png").read_bytes()
    (tmp_path / "cut" / "007.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut" / "x.jpg").write_text("no picture")
    for pair in ((tmp_path / "cut", root / "real"), (root / "real", tmp_path / "cut")):
        with pytest.raises(
            ConfigError, match=r"cut: 2 of 31 images .*007\.png.*, x\.jpg \(not a jpg"
        ) as error:
            between(*pair)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["zip", "npz", "folder:", "zip in a folder"])
def test_other_forms_of_a_set_give_the_same(folders, tmp_path, kind):
    root, arrays = folders
    expected = between(root / "real", root / "fake")
    path = tmp_path / f"fake.{kind[:3]}"
    if kind.startswith("zip"):
        within = "inside/" if "folder" in kind else ""
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((root / "fake").iterdir()):
                archive.write(file, within + file.name)
    elif kind == "npz":
        np.savez(path, images=arrays["fake"])
    else:
        path = f"folder:{root / 'fake'}"
    found = between(root / "real", path)
    assert found["fid"] == pytest.approx(expected["fid"], rel=1e-6)


def test_splits_of_a_source():
    found = between("digits@train", "digits@test")
    assert (found["num_reference"], found["num_samples"]) == (1438, 359)
    assert 0 < found["fid"] < 30


def test_what_cannot_be_is_one_line(folders, tmp_path):
    root, arrays = folders
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    np.savez(tmp_path / "odd.npz", mu=np.zeros(3), sigma=np.eye(4))
    np.savez(tmp_path / "wide.npz", mu=np.zeros(3), sigma=np.eye(3))
    other = dict(mu=np.zeros(64), sigma=np.eye(64), features="inception_clean", weights="x")
    np.savez(tmp_path / "other.npz", **other)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        sigma = np.eye(64)
        sigma[0, 1] = sigma[1, 0] = value
        np.savez(tmp_path / f"{name}.npz", mu=np.zeros(64), sigma=sigma)
    np.savez(tmp_path / "mean.npz", mu=np.full(64, np.nan), sigma=np.eye(64))
    (tmp_path / "bad").mkdir()
    Image.fromarray(arrays["fake"][0]).save(tmp_path / "bad" / "a.png")
    (tmp_path / "bad" / "b.png").write_bytes(b"not a picture")
    for first, metrics, message in (
        (root / "nowhere", ("fid",), "a set of images is a folder, .*nowhere', which is not there"),
        (tmp_path / "broken.zip", ("fid",), "broken.zip cannot be read as a zip file"),
        (tmp_path / "odd.npz", ("fid",), "odd.npz cannot be read as statistics: mu and sigma"),
        (
            tmp_path / "nan.npz",
            ("fid",),
            "nan.npz cannot be read as statistics: mu and sigma are not all finite",
        ),
        (
            tmp_path / "inf.npz",
            ("fid",),
            "inf.npz cannot be read as statistics: mu and sigma are not all finite",
        ),
        (
            tmp_path / "mean.npz",
            ("fid",),
            "mean.npz cannot be read as statistics: mu and sigma are not all finite",
        ),
        (tmp_path / "wide.npz", ("fid",), "features of different width: 3 and 64"),
        (tmp_path / "other.npz", ("fid",), "has statistics of inception_clean, not of digits_classifier"),
        (tmp_path / "bad", ("fid",), "b.png"),
        (root / "real", ("fidd",), "no metric is called 'fidd': did you mean fid"),
        (root / "real", (), "--metrics names one or several of fid, .*. Received: none"),
        (
            root / "real",
            ("fid", "ppl_z"),
            "ppl_z needs a generator, not its images alone: evaluate measures it",
        ),
        (root / "real", ("intra_class",), "intra_class needs a generator"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            between(first, root / "fake", metrics)
        assert "\n" not in str(error.value)


def test_a_generated_set_with_too_few_images_is_named(folders, tmp_path):
    root, arrays = folders
    for count, metrics, message in (
        (1, ("kid",), "has 1 image, and at least 2 are needed"),
        (1, ("fid", "inception_score"), "has 1 image, and at least 10 are needed"),
        (
            9,
            ("fid", "inception_score"),
            "has 9 images, and at least 10 are needed: inception_score is over 10 parts",
        ),
    ):
        few = tmp_path / f"few_{count}"
        few.mkdir(exist_ok=True)
        for number in range(count):
            Image.fromarray(arrays["fake"][number]).save(few / f"{number}.png")
        with pytest.raises(ConfigError) as error:
            between(root / "real", few, metrics)
        assert str(error.value).startswith(f"{few} {message}")
    assert between(root / "real", tmp_path / "few_9", ("fid",))["num_samples"] == 9
