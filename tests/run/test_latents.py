"""`latents.npz` and `directions.npz`: what is written is read again, and nothing else is."""

import numpy as np
import pytest
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.codes import Codes
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator
from tfgans.run import directions, latents


@pytest.fixture(scope="module")
def styled():
    generator = stylegan2_generator(8, latent_dim=8, style_dim=6, mapping_layers=2, max_channels=8)
    return GAN(generator, stylegan2_discriminator(8, max_channels=8), seed=3)


@pytest.fixture(scope="module")
def classes():
    return GAN(*toys.image_networks(num_classes=3), num_classes=3)


def same(first, second):
    assert first.space == second.space and len(first.noise) == len(second.noise)
    for one, other in zip((first.values, *first.noise), (second.values, *second.noise), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.labels, second.labels)


def test_codes_are_read_as_they_were_written(styled, classes, tmp_path):
    noise = tuple(np.ones((2, *s), "float32") * i for i, s in enumerate([(4, 4, 1), (8, 8, 1), (8, 8, 1)]))
    shares = np.array([[0.25, 0.75, 0.0]], "float32")
    for model, codes in (
        (styled, styled.codes_at([3, 9])),
        (styled, styled.codes_at([3, 9], truncation=0.5)),
        (styled, Codes("z", np.ones((2, 8), "float32"), None, noise)),
        (classes, classes.codes_at([0, 1, 2], labels=[2, 0])),
        (classes, Codes("z", np.ones((1, 4), "float32"), shares)),
    ):
        latents.save(tmp_path / "a.npz", codes)
        same(latents.load(tmp_path / "a.npz", model), codes)
    with np.load(tmp_path / "a.npz") as stored:
        assert sorted(stored) == ["latents", "shares", "space"]
    latents.save(tmp_path / "a.npz", styled.codes_at([3, 9], truncation=0.5))
    with np.load(tmp_path / "a.npz") as stored:
        assert sorted(stored) == ["seeds", "space", "styles"] and stored["seeds"].tolist() == [3, 9]


def test_styles_have_their_class_in_them(tmp_path):
    """What the explorer saves of a generator with classes has the class beside the styles it went into."""
    options = {"latent_dim": 8, "style_dim": 6, "mapping_layers": 2, "max_channels": 8, "num_classes": 3}
    discriminator = stylegan2_discriminator(8, max_channels=8, num_classes=3, label_layers=2)
    model = GAN(stylegan2_generator(8, **options), discriminator, num_classes=3)
    codes = model.codes_at([4], labels=[2])
    styles = model.styles(codes.values, labels=codes.labels)
    arrays = {"latents": codes.values, "labels": codes.labels, "styles": styles, "settings": "seed=4&label=2"}
    np.savez(tmp_path / "seed_000004_001.npz", space="w", **arrays)
    found = latents.load(tmp_path / "seed_000004_001.npz", model)
    same(found, Codes("w", styles))
    np.testing.assert_array_equal(model.show(found), model.show(codes))


Z = np.zeros((2, 8), "float32")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (dict(latents=Z), "it has no 'space'"),
        (dict(space="z"), "it has no 'latents'"),
        (dict(space="v", latents=Z), "space is z or w, and it says 'v'"),
        (dict(space="z", latents=Z[:0]), "it has no picture"),
        (dict(space="z", latents=Z[0]), "latents are finite numbers with 2 axes"),
        (dict(space="z", latents=Z + np.nan), "latents are finite numbers"),
        (dict(space="z", latents=Z.astype(int)), "latents are finite numbers"),
        (dict(space="z", latents=Z.astype(float) + 1e39), "latents are finite numbers"),  # not in float32
        (dict(space="z", latents=Z, labels=np.array([0, 2**32])), "labels are of classes that int32 holds"),
        (dict(space="z", latents=Z, labels=np.zeros(2)), r"labels are integers \[N\]"),
        (dict(space="z", latents=Z, labels=np.zeros(3, int)), "of different numbers of pictures"),
        (dict(space="z", latents=Z, labels=np.zeros(2, int)), "has no classes, and the codes have labels"),
        (dict(space="z", latents=Z[:, :4]), r"of this generator are \[N, 8\]. Received: \[2, 4\]"),
        (dict(space="z", latents=Z, noise_0=np.zeros((2, 4, 4, 1))), "noise of this generator is of sizes"),
        (dict(space="z", latents=Z, noise_a=np.zeros((2, 4, 4, 1))), "invalid literal"),
        (dict(space=np.array([None]), latents=Z), "array space holds Python objects"),
    ],
)
def test_files_that_hold_no_codes(styled, tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ConfigError, match=said) as caught:
        latents.load(tmp_path / "a.npz", styled)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_one_line(styled, tmp_path):
    latents.save(tmp_path / "a.npz", styled.codes_at([3]))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    for path in ("a.npz", "none.npz"):
        with pytest.raises(
            ConfigError, match=f"{path} cannot be read as latents that generate or project wrote"
        ):
            latents.load(tmp_path / path, styled)


def test_directions_are_read_as_they_were_written(styled, classes, tmp_path):
    for model, found in (
        (styled, styled.directions("pca", 3, (1, 3))),
        (classes, classes.directions("sefa", 2)),
    ):
        directions.save(tmp_path / "d.npz", found)
        again = directions.load(tmp_path / "d.npz", model)
        for name in ("vectors", "values", "deviations"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        assert (again.method, again.space, again.slots) == (found.method, found.space, found.slots)
    with pytest.raises(ConfigError, match="in w, of 6 numbers. Received: in z, of 4"):
        directions.load(tmp_path / "d.npz", styled)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (dict(space="w"), "space is z, or w with slots, and it says 'w'"),
        (dict(vectors=np.zeros((0, 4))), r"there are \[0, 4\] numbers and 2 values"),
        (dict(values=np.ones(3)), r"there are \[2, 4\] numbers and 3 values"),
        (dict(deviations=np.array([1.0, np.inf])), "they are not finite numbers"),
        (dict(deviations=np.array([1.0, 1e39])), "they are not finite numbers"),
        (dict(slots=np.array([0, 1])), "space is z, or w with slots, and it says 'z'"),
        (dict(slots=np.array([0.0, 1.0])), "slots are two integers"),
    ],
)
def test_files_that_hold_no_directions(classes, tmp_path, changed, said):
    directions.save(tmp_path / "d.npz", classes.directions("sefa", 2))
    with np.load(tmp_path / "d.npz") as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "d.npz", **(arrays | changed))
    with pytest.raises(ConfigError, match=said):
        directions.load(tmp_path / "d.npz", classes)
