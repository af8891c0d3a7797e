"""AlphaGAN's spaces on StyleGAN2, and its genotypes: published ones and their sizes, files, errors, pictures."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from stylegan2_searches import parameters

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.methods.alphagan.spaces.stylegan2.genotype import StyleGAN2Genotype, micro_genotype
from tfgans.methods.alphagan.spaces.stylegan2.networks import alphagan_stylegan2_generator
from tfgans.methods.alphagan.spaces.stylegan2.picture import draw_stylegan2_genotype
from tfgans.methods.alphagan.spaces.stylegan2.published import GENOTYPES, load_stylegan2_genotype

MIXED = StyleGAN2Genotype(("conv_5x5", "sep_conv_3x3"), ("bilinear_conv",), (3, 1, 7, 5))


@pytest.mark.parametrize(
    ("resolution", "m", "printed"),
    [
        (128, 11, {"micro": 9, "micro_w": 6.2e11, "macro": 1.8e5, "macro_w": 1.2e16}),
        (256, 13, {"micro": 9, "micro_w": 4.0e13, "macro": 1.6e6, "macro_w": 7.0e18}),
        # the paper prints 1.3e9 for macro, ten times as many as there are
        (1024, 17, {"micro": 9, "micro_w": 1.6e17, "macro": 1.3e8, "macro_w": 2.3e24}),
    ],
)
def test_sizes(resolution, m, printed):
    assert space.num_layers(resolution) == m
    exact = {"micro": 9, "micro_w": 9 * 8 ** (m + 1), "macro": 3**m, "macro_w": 3**m * 8 ** (m + 1)}
    for paradigm, size in exact.items():
        assert space.size(resolution, paradigm) == size == pytest.approx(printed[paradigm], rel=0.02)
        searched = space.size(resolution, paradigm, discriminator_operations=space.DISCRIMINATOR_OPERATIONS)
        assert searched == size * 3 ** (m - 1)  # two for each of the (m - 1) / 2 blocks


def test_size_with_separable_convolutions():
    assert space.size(1024, "macro", space.NORMAL_OPERATIONS_SEPARABLE) == 6**9 * 3**8


def test_architecture_rows():
    counts = {
        paradigm: {name: edges for name, (edges, _) in space.architecture_rows(128, paradigm).items()}
        for paradigm in space.PARADIGMS
    }
    assert counts == {
        "micro": {"normal": 1, "up": 1},
        "micro_w": {"normal": 1, "up": 1, "latents": 12},
        "macro": {"normal": 6, "up": 5},
        "macro_w": {"normal": 6, "up": 5, "latents": 12},
    }


PARAMETERS = {
    "celeba_micro_w": 29_328_669,
    "church_micro_w": 52_316_578,
    "ffhq_micro_w": 52_734_220,
    "ffhq_micro_w_table8": 52_734_220,
    "ffhq_micro": 52_734_220,
    "ffhq_macro": 31_680_780,
    "ffhq_macro_separable": 21_416_332,
    "ffhq_separable": 19_215_340,
    "adversarialnas_celeba_micro_w": 18_318_621,
    "adversarialnas_church_micro_w": 18_893_218,
    "adversarialnas_ffhq_micro_w": 52_734_220,
    "adversarialnas_celeba_macro": 18_318_621,
    "adversarialnas_church_macro": 23_087_522,
    "adversarialnas_ffhq_macro": 21_326_092,
    "celeba_micro_by_size": 29_328_669,
    "church_micro_by_size": 52_316_578,
    "celeba_macro_by_size": 41_387_293,
    "church_macro_by_size": 41_437_602,
    "celeba_macro_w_by_size": 35_095_837,
    "church_macro_w_by_size": 35_670_434,
    "ffhq_macro_w_by_size": 30_099_724,
}


@pytest.mark.parametrize("name", GENOTYPES)
def test_published_sizes(name):
    assert parameters(GENOTYPES[name]) == PARAMETERS[name]


def test_separable_in_place_of_each_conv_3x3():
    """From StyleGAN2's 30,370,060: 9 C^2 become 9 C + C^2 for each of 9 maps; nothing that doubles one changes."""
    saved = sum(9 * c**2 - (9 * c + c**2) for c in (512, 512, 512, 512, 512, 256, 128, 64, 32))
    assert PARAMETERS["ffhq_separable"] == 30_370_060 - saved
    assert parameters(micro_genotype("conv_3x3", "deconv", 1024)) == 30_370_060
    genotype = GENOTYPES["ffhq_separable"]
    assert [operation for _, _, operation, _ in genotype.layers] == [
        *["sep_conv_3x3", "deconv"] * 8, "sep_conv_3x3", "to_rgb",
    ]  # fmt: skip
    assert set(genotype.latents) == {8}


@pytest.fixture
def without_drawing(monkeypatch):
    zeros = lambda self, shape, dtype=None: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.parametrize(
    "name", ["celeba_micro_w", "adversarialnas_church_macro", "ffhq_macro_separable", "ffhq_separable"]
)
def test_the_generator_has_the_published_size(name, without_drawing):
    """One of each resolution; the formula of the test above has the others'."""
    network = alphagan_stylegan2_generator(name)
    assert cost.parameters(network) == PARAMETERS[name]
    side = {"c": 128, "a": 256, "f": 1024}[name[0]]
    assert network.output_shape == (None, side, side, 3)


def test_published_genotypes_layer_by_layer():
    """Some entries of Tables 6, 8, 17, 18 and 20, by the layer they are of."""
    found = {name: dict((row[0], row[2:]) for row in g.layers) for name, g in GENOTYPES.items()}
    assert found["celeba_micro_w"]["L2"] == ("nearest_conv", 3)
    assert found["celeba_micro_w"]["L11"] == ("conv_3x3", 8)
    assert found["celeba_micro_w"]["tRGB12"] == ("to_rgb", 5)
    assert found["church_micro_w"]["L8"] == ("bilinear_conv", 2)
    assert found["ffhq_micro_w"]["L6"] == ("nearest_conv", 8)
    assert found["ffhq_macro"]["L6"] == ("nearest_conv", 8) and found["ffhq_macro"]["L7"][0] == "conv_1x1"
    assert found["ffhq_macro_separable"]["L3"][0] == "sep_conv_7x7"
    assert found["adversarialnas_church_micro_w"]["L2"] == ("nearest_conv", 8)
    assert found["adversarialnas_church_micro_w"]["L3"] == ("conv_1x1", 4)
    assert found["adversarialnas_ffhq_macro"]["L8"][0] == "deconv"
    assert GENOTYPES["adversarialnas_celeba_macro"].discriminator_kernel_sizes == (
        (5, 1), (1, 1), (3, 3), (3, 3), (1, 3),
    )  # fmt: skip
    assert {g.resolution for g in GENOTYPES.values()} == {128, 256, 1024}


@pytest.mark.parametrize("name", GENOTYPES)
def test_files(name, tmp_path):
    genotype, path = GENOTYPES[name], tmp_path / "genotype.json"
    genotype.save(path)
    assert load_stylegan2_genotype(path) == genotype == load_stylegan2_genotype(name)
    assert ("discriminator_normal" in json.loads(path.read_text())) == name.startswith("adversarialnas")


def test_text():
    found = replace(MIXED, discriminator_normal=("conv_1x1",), discriminator_down=("conv_5x5",))
    assert found.table() == "\n".join(
        [
            "layer  map     operation      latent",
            "-----  ------  -------------  ---------------",
            "L1     4       conv_5x5       W_3",
            "L2     4 -> 8  bilinear_conv  W_1, also tRGB2",
            "L3     8       sep_conv_3x3   W_7",
            "tRGB4  8       to_rgb         W_5",
            "",
            "block of D  map     normal    down",
            "----------  ------  --------  --------",
            "block8      8 -> 4  conv_1x1  conv_5x5",
        ]
    )
    assert MIXED.line() == ("normal: conv_5x5, sep_conv_3x3; up: bilinear_conv; latents: W_3, W_1, W_7, W_5")
    assert micro_genotype("conv_1x1", "deconv", 16).line() == (
        "normal: 3 x conv_1x1; up: 2 x deconv; latents: 6 x W_8"
    )


def test_a_micro_genotype_fits_every_resolution():
    assert GENOTYPES["ffhq_micro"].at(128) == micro_genotype("conv_5x5", "bilinear_conv", 128)
    small = {"base_channels": 2, "max_channels": 4, "latent_dim": 3, "style_dim": 4}
    assert alphagan_stylegan2_generator("ffhq_micro", 8, **small).output_shape == (None, 8, 8, 3)
    for name in ("ffhq_macro", "ffhq_micro_w"):
        assert GENOTYPES[name].at(1024) is GENOTYPES[name]
        with pytest.raises(ConfigError, match="fits every resolution; this is for 1024. Received: 128"):
            alphagan_stylegan2_generator(name, 128)
    searched = replace(micro_genotype("conv_1x1", "deconv", 8), discriminator_normal=("conv_1x1",),
                       discriminator_down=("conv_1x1",))  # fmt: skip
    with pytest.raises(ConfigError, match="its discriminator is for 8. Received: 16"):
        searched.at(16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as a genotype"),
        ("[]", "has normal, up, latents. Received: list"),
        ('{"normal": [], "up": []}', "has normal, up, latents. Received: normal, up"),
        ('{"normal": ["conv_1x1"], "up": [], "latents": [1, 1]}', "normal lists at least 2 operations"),
        (
            '{"normal": ["conv_1x1", "conv_7x7"], "up": ["deconv"], "latents": [1, 1, 1, 1]}',
            "normal: an operation is one of conv_1x1, .* Received: 'conv_7x7'",
        ),
        (
            '{"normal": ["conv_1x1", "conv_1x1"], "up": ["conv_1x1"], "latents": [1, 1, 1, 1]}',
            "up: an operation is one of deconv, nearest_conv, bilinear_conv. Received: 'conv_1x1'",
        ),
        (
            '{"normal": ["conv_1x1", "conv_1x1"], "up": ["deconv", "deconv"], "latents": [1, 1, 1, 1]}',
            "up has 1 operations. Received:",
        ),
        (
            '{"normal": ["conv_1x1", "conv_1x1"], "up": ["deconv"], "latents": [1, 1, 1]}',
            "latents has 4 numbers. Received:",
        ),
        (
            '{"normal": ["conv_1x1", "conv_1x1"], "up": ["deconv"], "latents": [1, 1, 1, 9]}',
            "latents: a number is from 1 to 8. Received: 9",
        ),
        (
            '{"normal": ["conv_1x1", "conv_1x1"], "up": ["deconv"], "latents": [1, 1, 1, 1],'
            ' "discriminator_normal": ["conv_1x1"]}',
            "discriminator_down has 1 operations. Received:",
        ),
    ],
)
def test_bad_files(text, message, tmp_path):
    path = tmp_path / "genotype.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_stylegan2_genotype(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_name():
    with pytest.raises(ConfigError, match="is one of celeba_micro_w, .* Received: celeba"):
        load_stylegan2_genotype("celeba")


def test_picture_shows_what_changes():
    """Another W_i, operation or discriminator changes the picture in its layer's columns and nowhere else."""
    base = replace(MIXED, discriminator_normal=("conv_1x1",), discriminator_down=("conv_5x5",))
    picture = draw_stylegan2_genotype(base, 60)
    assert picture.dtype == np.uint8 and picture.std() > 10
    left, step = 1.5, 0.9 * 60

    def columns(other):
        changed = np.nonzero((draw_stylegan2_genotype(other, 60) != picture).any((0, 2)))[0]
        return changed.min() / step - left, changed.max() / step - left

    for other, column in [
        (replace(base, latents=(4, 1, 7, 5)), 1),
        (replace(base, normal=("conv_5x5", "conv_3x3")), 3),
        (replace(base, up=("deconv",)), 2),
        (replace(base, latents=(3, 1, 7, 2)), 4),
        (replace(base, discriminator_normal=("conv_3x3",)), 3),
        (replace(base, discriminator_down=("conv_3x3",)), 2),
    ]:
        first, last = columns(other)
        assert column - 0.5 < first < last < column + 0.5
    shape = draw_stylegan2_genotype("celeba_micro_w", 20).shape
    assert shape[1] == pytest.approx((12 + 0.95 + 1.5) * 0.9 * 20, abs=1)
