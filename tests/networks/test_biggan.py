from pathlib import Path

import keras
import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.layers.attention import SelfAttention
from tfgans.layers.blocks import ResidualDownBlock
from tfgans.networks.biggan import biggan_discriminator, biggan_generator

ROOT = Path(__file__).parents[2]
SMALL = {"resolution": 16, "block_channels": (8, 8, 8), "attention_resolutions": ()}


def generator(**options):
    return biggan_generator(**SMALL | {"latent_dim": 12, "num_classes": 3, "embedding_dim": 5} | options)


@pytest.mark.parametrize(
    ("resolution", "attention", "latent_dim"), [(32, 16, 120), (64, 32, 120), (256, 64, 140)]
)
def test_other_resolutions_take_what_the_networks_file_says_of_them(resolution, attention, latent_dim):
    text = (ROOT / "gin_configs/networks/biggan_128.gin").read_text()
    assert (
        f"latent_dim = {latent_dim}" in text
        and "32 and\n# 64 attention at 16 and 32 in both networks" in text
    )
    sizes = dict(resolution=resolution, base_channels=8, attention_resolutions=(attention,), num_classes=2)
    generator = biggan_generator(latent_dim=latent_dim, spectral_normalization=False, **sizes)
    assert generator.output_shape[1:] == biggan_discriminator(**sizes).inputs[0].shape[1:]


def test_every_block_sees_its_own_chunk_and_the_shared_embedding():
    """Vectors of the second block: 5 numbers of the class, then latents 8 to 11."""
    network = generator()
    joints = [layer.output for layer in network.layers if isinstance(layer, keras.layers.Concatenate)]
    latents = np.arange(24.0, dtype="float32").reshape(2, 12)
    labels = np.array([2, 0])
    found = keras.Model(network.inputs, joints)([latents, labels])
    shared = network.get_layer("class_embedding").embeddings.numpy()[labels]
    for i, vectors in enumerate(found):
        chunk = latents[:, 4 * (i + 1) : 4 * (i + 2)]
        np.testing.assert_array_equal(vectors, np.concatenate([shared, chunk], 1))
    assert len(found) == 2


def test_the_first_chunk_alone_makes_the_first_map():
    network = generator()
    first = next(layer for layer in network.layers if layer.name.startswith("spectral_dense"))
    assert first.kernel.shape == (4, 4 * 4 * 8)
    maps = keras.Model(network.inputs, first.output)
    latents = np.eye(12, dtype="float32")
    found = maps([latents, np.zeros(12, "int32")])
    np.testing.assert_allclose(found[:4], first.normalized_kernel(training=False), atol=1e-5)
    np.testing.assert_array_equal(found[4:], np.zeros((8, 128)))


def test_without_classes_the_chunks_remain():
    network = generator(num_classes=None)
    assert [x.name for x in network.inputs] == ["latents"]
    images = network(np.zeros((1, 12), "float32"))
    moved = network(np.eye(12, dtype="float32"))
    assert (np.abs(moved - images).max((1, 2, 3)) > 1e-4).all()  # every latent matters
    block = next(layer for layer in network.layers if layer.name.startswith("residual"))
    assert block.normalization1.gain.kernel.shape == (4, 8)


def test_what_is_spectrally_normalized():
    """All but the shared embedding."""
    for network in (generator(attention_resolutions=(8,)), biggan_discriminator(num_classes=3, **SMALL)):
        paths = {weight.path for weight in network.non_trainable_variables}
        for weight in network.trainable_variables:
            kernel = len(weight.shape) > 1
            spectral = f"{weight.path.rsplit('/', 1)[0]}/u" in paths
            shared = network.name == "biggan_generator" and weight.path.startswith("class_embedding")
            assert spectral == (kernel and not shared) or weight.path.endswith("bias"), weight.path


def test_repeated_attention():
    """16x16 images: maps of 8, 4 and 4."""
    options = SMALL | {"attention_resolutions": (8, 4)}
    for repeat, count in ((False, 2), (True, 3)):
        network = biggan_discriminator(repeat_attention=repeat, **options)
        assert sum(isinstance(layer, SelfAttention) for layer in network.layers) == count


@pytest.mark.parametrize(
    ("options", "last"), [({"resolution": 32}, 8), ({"resolution": 64}, 4), ({"resolution": 128}, 4)]
)
def test_default_blocks_end_at_this_size(options, last):
    options |= {"base_channels": 1, "kernel_initializer": "glorot_uniform", "attention_resolutions": ()}
    network = biggan_discriminator(**options)
    assert network.get_layer("features").input.shape[1:3] == (last, last)
    blocks = [layer for layer in network.layers if isinstance(layer, ResidualDownBlock)]
    assert all(block.wide for block in blocks) and not blocks[-1].downsample
    chunks = len(blocks) + 1 if options["resolution"] > 64 or options["resolution"] == 32 else 5
    assert biggan_generator(latent_dim=2 * chunks, **options).output.shape[1:] == (
        options["resolution"],
        options["resolution"],
        3,
    )


@pytest.mark.parametrize(
    ("network", "options", "words"),
    [
        (
            biggan_generator,
            {"resolution": 48},
            "resolution is one of 32, 64, 128, 256, unless block_channels",
        ),
        (biggan_discriminator, {"resolution": 48}, "unless block_channels is given. Received: 48"),
        (biggan_generator, {"latent_dim": 128}, "latent_dim is a multiple of the 6 chunks"),
        (biggan_generator, SMALL | {"latent_dim": 10}, "multiple of the 3 chunks"),
        (
            biggan_generator,
            {"embedding_dim": 0},
            "embedding_dim is an integer of at least 1. Received: 0",
        ),
        (
            biggan_generator,
            {"base_channels": 0},
            "base_channels is an integer of at least 1. Received: 0",
        ),
        (
            biggan_generator,
            {"num_classes": 0},
            "num_classes is an integer of at least 1 or None. Received: 0",
        ),
        (biggan_generator, {"block_channels": (), "latent_dim": 3}, "Received: 3"),
        (biggan_generator, SMALL | {"latent_dim": 3, "kernel_initializer": "he"}, "Received: he"),
        (
            biggan_discriminator,
            SMALL | {"kernel_initializer": "he"},
            "glorot_uniform, orthogonal. Received: he",
        ),
        (biggan_discriminator, SMALL | {"attention_resolutions": (64,)}, "among 4, 8. Received: 64"),
        (biggan_discriminator, SMALL | {"downsample": (True,)}, "one entry a block"),
        (
            biggan_discriminator,
            SMALL | {"conditioning": "none"},
            "class_features, contrastive. Received: none",
        ),
    ],
)
def test_refusals(network, options, words):
    with pytest.raises(ConfigError) as refusal:
        network(**options)
    assert words in str(refusal.value)
    assert network.__name__ in str(refusal.value) or "he" in words
