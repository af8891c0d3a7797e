"""Networks of images with 1 to 4 channels that are squares or not; which sizes they take, and who refuses."""

import inspect
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import config
from tfgans.config import ConfigError, gin_internals, sides
from tfgans.methods import compose
from tfgans.methods.augmented import ADAGAN, DiffAugmentGAN
from tfgans.methods.octave.convert import to_octave
from tfgans.methods.octave.soft import SoftOctaveConv2DTranspose
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.parts import smallest_map
from tfgans.networks.resnet import resnet_discriminator, resnet_generator
from tfgans.networks.stylegan2 import map_widths, stylegan2_discriminator, stylegan2_generator

STYLE = dict(max_channels=4)
PAIRS = {
    "dcgan": lambda **size: (
        dcgan_generator(**size, latent_dim=4, base_channels=8),
        dcgan_discriminator(**size, base_channels=8),
    ),
    "resnet": lambda **size: (
        resnet_generator(**size, latent_dim=4, base_channels=8),
        resnet_discriminator(**size, base_channels=8),
    ),
    "stylegan2": lambda **size: (
        stylegan2_generator(**size, **STYLE, latent_dim=4, style_dim=4, mapping_layers=2),
        stylegan2_discriminator(**size, **STYLE),
    ),
}
METHODS = {
    "dcgan": [DiffAugmentGAN],
    "resnet": [ADAGAN],
    "stylegan2": [StyleMixingGAN, PathLengthGAN],
}


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)  # tracing takes longer than a step
    yield
    tf.config.run_functions_eagerly(False)


SIZES = [8, (16, 8), (8, 16), (6, 12)]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_shapes(name, size):
    height, width = sides(size)
    for channels in (1, 2, 3, 4):
        generator, discriminator = PAIRS[name](resolution=size, channels=channels)
        assert generator.output_shape == (None, height, width, channels) == discriminator.input_shape
        images = generator(np.ones((4, 4), "float32"))
        assert images.shape == (4, height, width, channels)
        assert discriminator(images)["adversarial"].shape == (4, 1)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("size", "channels"), zip(SIZES, (4, 1, 2, 3), strict=True), ids=str)
def test_a_step_of_training(eager, name, size, channels):
    """A step with what the network is used with: every kernel has moved."""
    keras.utils.set_random_seed(0)
    generator, discriminator = PAIRS[name](resolution=size, channels=channels)
    model = compose(*METHODS[name])(generator, discriminator)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    if name == "resnet":
        model.ada.probability.assign(1.0)
    kernels = [
        v for network in (generator, discriminator) for v in network.trainable_variables if v.shape.rank > 1
    ]
    before = [v.numpy() for v in kernels]
    real = np.random.default_rng(0).uniform(-1, 1, (4, *sides(size), channels)).astype("float32")
    logs = model.train_step({"images": tf.constant(real)})
    assert all(np.isfinite(value) for value in logs.values())
    still = [v.path for v, old in zip(kernels, before, strict=True) if np.array_equal(v, old)]
    assert [path for path in still if "mapping" not in path] == []  # whose steps are too small for float32


def test_the_smallest_map():
    for size, found in {
        (64, 128): ((4, 8), 4), (128, 64): ((8, 4), 4), (48, 96): ((3, 6), 4), (144, 256): ((9, 16), 4),
        (6, 8): ((3, 4), 1), (8, 24): ((4, 12), 1), (80, 48): ((5, 3), 4), (720, 1280): None, (7, 14): None,
        (8, 9): None, (4, 8): None, (100, 102): None,
    }.items():  # fmt: skip
        if found:
            assert smallest_map("net", size) == found
            continue
        with pytest.raises(ConfigError) as refused:
            smallest_map("net", size)
        assert str(refused.value) == (
            "net: (height, width) halve to whole sides, the shorter one from 3 to 9, as (64, 128) to (4, 8) "
            f"and (48, 96) to (3, 6). Received: {size}"
        )


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameters_by_hand():
    """Only what meets the smallest map as a whole has more of them than for squares: 4x4 became 4x8, or 3x6."""
    square, wide, odd = (
        dcgan_generator(size, latent_dim=10, base_channels=8) for size in (32, (32, 64), (24, 48))
    )
    assert parameters(wide) - parameters(square) == 16 * 32 * 10
    assert parameters(odd) - parameters(square) == 2 * 32 * 10
    square, wide = (dcgan_discriminator(size, base_channels=8) for size in (32, (64, 32)))
    assert parameters(wide) - parameters(square) == 16 * 32
    square, wide = (resnet_generator(size, latent_dim=10, base_channels=8) for size in (32, (32, 64)))
    assert parameters(wide) - parameters(square) == 16 * 8 * (10 + 1)
    assert parameters(resnet_discriminator((64, 32))) == parameters(resnet_discriminator(32))
    options = dict(max_channels=4, latent_dim=4, style_dim=4, mapping_layers=1)
    square, wide = (stylegan2_generator(size, **options) for size in (16, (16, 32)))
    assert parameters(wide) - parameters(square) == 16 * 4
    assert map_widths("net", (96, 48), 2, 512, None) == (512,) * 5
    assert map_widths("net", (1024, 512), 2, 512, None) == map_widths("net", 512, 2, 512, None)
    assert map_widths("net", (24, 12), 2, 512, 3) == (12, 6, 3)


def test_a_pair_of_one_side_is_that_side():
    assert dcgan_generator((32, 32)).output_shape == dcgan_generator(32).output_shape
    assert parameters(resnet_generator((48, 48))) == parameters(resnet_generator(48))
    with pytest.raises(ConfigError, match="resolution is a power of two of at least 8. Received: 24"):
        dcgan_generator((24, 24))


def test_blocks_and_attention_of_ones_own():
    """Three blocks from 2x5 on; attention where the shorter side is 8."""
    generator = resnet_generator(
        (16, 40), block_channels=(8, 8, 8, 8), attention_resolutions=(8,), latent_dim=4
    )
    assert generator.output_shape == (None, 16, 40, 3)
    assert [layer.output.shape[1:3] for layer in generator.layers if "attention" in layer.name] == [(8, 20)]
    discriminator = resnet_discriminator((16, 40), block_channels=(8, 8, 8), attention_resolutions=(8,))
    assert [layer.output.shape[1:3] for layer in discriminator.layers if "attention" in layer.name] == [
        (8, 20)
    ]
    with pytest.raises(
        ConfigError, match=r"multiple of 2\^blocks. Received: \(8, 8, 8, 8\), resolution \(16, 20\)"
    ):
        resnet_generator((16, 20), block_channels=(8, 8, 8, 8))
    with pytest.raises(ConfigError, match=r"for 3 blocks, resolution \(16, 20\)"):
        resnet_discriminator((16, 20), block_channels=(8, 8, 8))


def test_styles_survive_saving(tmp_path):
    """Noise has the maps' shapes; a square's configuration says nothing of its first map, as before."""
    generator = PAIRS["stylegan2"](resolution=(6, 12), channels=4)[0]
    synthesis = generator.get_layer("synthesis")
    assert synthesis.noise_shapes == [(3, 6, 1), (6, 12, 1), (6, 12, 1)]
    generator.save(tmp_path / "generator.keras")
    loaded, latents = keras.saving.load_model(tmp_path / "generator.keras"), np.ones((2, 4), "float32")
    np.testing.assert_array_equal(generator(latents), loaded(latents))
    square = PAIRS["stylegan2"](resolution=8, channels=3)[0].get_layer("synthesis").get_config()
    assert "first_size" not in square and synthesis.get_config()["first_size"] == (3, 6)


@pytest.mark.parametrize(("size", "pairs"), [((16, 32), 1), ((24, 48), 1), ((32, 16), 1)])
def test_octaves_of_maps_that_halve(size, pairs):
    """From 4x8 or 3x6 on: what takes 3x6, or gives an image, gives no pair; the others do."""
    generator = to_octave(dcgan_generator(size, latent_dim=4, base_channels=8), 0.5)
    assert generator.output_shape == (None, *size, 3)
    assert np.isfinite(generator(np.ones((1, 4), "float32"))).all()
    made = [layer for layer in generator.layers if isinstance(layer, SoftOctaveConv2DTranspose)]
    assert [layer.alpha for layer in made] == [0.5] * pairs + [0.0]
    critic = to_octave(dcgan_discriminator(size, base_channels=8), 0.5)
    assert critic(np.ones((1, *size, 3), "float32"))["adversarial"].shape == (1, 1)


def test_attention_is_for_maps_that_halve():
    with pytest.raises(
        ConfigError, match=r"^SelfAttention needs maps of an even height and width. Received: \(3, 6\)$"
    ):
        resnet_discriminator(
            (12, 24), block_channels=(8, 8), downsample=(True, True), attention_resolutions=(3,)
        )


def _of_squares():
    """`{name in gin files: network}` of every network that is no family of rectangles."""
    config.import_rooms(["tfgans.networks", "tfgans.methods"])
    found = {}
    for selector in gin_internals.selectors():
        room, _, name = selector.rpartition(".")
        network = getattr(sys.modules.get(room), name, None)
        its_own = name.endswith(("_generator", "_discriminator")) and not name.startswith(tuple(PAIRS))
        if its_own and "resolution" in inspect.signature(network).parameters:
            found[name] = network
    return found


@pytest.mark.parametrize(("name", "network"), _of_squares().items(), ids=_of_squares())
def test_who_makes_squares_alone_says_so(name, network):
    or_none = " or None" if inspect.signature(network).parameters["resolution"].default is None else ""
    with pytest.raises(ConfigError) as refused:
        network(resolution=(32, 64))
    assert str(refused.value) == (
        f"{name}.resolution is an integer of at least 1, the side of squares{or_none}. Received: (32, 64)"
    )
