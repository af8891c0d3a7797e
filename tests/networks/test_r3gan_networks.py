"""R3GAN's networks: counts and products as published, the golden discriminators, precision by resolution."""

import gc

import configurations
import keras
import numpy as np
import pytest
import tensorflow as tf
from r3gan_weights import NAMES, channels_last, golden_discriminator
from test_published_networks import bound, defaults

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.networks.r3gan import r3gan_discriminator, r3gan_generator

G, D = r3gan_generator, r3gan_discriminator
FFHQ_64 = {"resolution": 64, "width": (768,) * 4 + (384,)}
FFHQ_256 = {"resolution": 256, "width": (768,) * 4 + (384, 192, 96)}
IMAGENET = {"num_classes": 1000, "width": 1536, "group_width": 32}
# name: (arguments, parameters of G and D, products of G and D in units of 1e9, weights of each)
NETWORKS = {
    "cifar10": ({"num_classes": 10}, (20_781_952, 21_280_512), (7.0214, 7.0219), 44),
    "cifar10_unconditional": ({}, (20_732_160, 20_683_776), (7.0213, 7.0213), 43),
    "ffhq64": (FFHQ_64, (22_429_824, 22_381_440), (13.063, 13.063), 54),
    "ffhq256": (FFHQ_256, (23_057_952, 23_009_568), (28.781, 28.781), 76),
    "imagenet32": (IMAGENET, (82_914_304, 86_548_992), (28.081, 28.084), 44),
    "imagenet64": (IMAGENET | {"resolution": 64}, (103_570_432, 107_205_120), (112.65, 112.66), 54),
}


@pytest.fixture
def without_drawing(monkeypatch):
    """Large networks are built in no time where their kernels are not drawn."""
    zeros = lambda self, shape, dtype=None: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_products(name, without_drawing):
    arguments, parameters, products, weights = NETWORKS[name]
    for function, count, giga in zip((G, D), parameters, products, strict=True):
        network = function(**arguments)
        assert cost.parameters(network) == count and len(network.weights) == weights
        # published products have those of the one-hot class, which is looked up here
        embedding = [layer.embeddings for layer in network.layers if layer.name == "class_embedding"]
        macs = cost.macs(network) + sum(np.prod(table.shape) for table in embedding)
        assert macs / 1e9 == pytest.approx(giga, rel=5e-5 if name != "cifar10" else 1e-5)
        del network
        gc.collect()  # these are hundreds of megabytes


# experiment: images, millions; gamma and its last value; half-life; burn-in, millions; resolutions in bfloat16
SETTINGS = {
    "cifar10": (250, 0.05, 0.005, 5e6, 20, (8, 16, 32)),
    "cifar10_unconditional": (250, 0.05, 0.005, 5e6, 20, (8, 16, 32)),
    "ffhq64": (100, 2.0, 0.2, 5e5, 20, (8, 16, 32, 64)),
    "ffhq256": (200, 150.0, 15.0, 5e5, 20, (32, 64, 128, 256)),
    "imagenet32": (1000, 0.5, 0.05, 5e7, 200, (8, 16, 32)),
    "imagenet64": (1000, 1.0, 0.1, 5e7, 200, (8, 16, 32, 64)),
    "stacked_mnist": (10, 1.0, 0.1, 5e5, 2, ()),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_experiments_have_these_networks_and_settings(name):
    of = configurations.prepare(f"r3gan/{name}")
    images, gamma, last_gamma, half_life, burn_in, narrow = SETTINGS[name]
    arguments = NETWORKS["cifar10_unconditional" if name == "stacked_mnist" else name][0]
    for function in (G, D):
        expected = defaults(function) | arguments | {"bfloat16_resolutions": narrow}
        assert bound(function) == {key: expected[key] for key in bound(function)}
    assert of("Dataset.batch_size") * of("train.steps") == pytest.approx(
        images * 1e6, abs=of("Dataset.batch_size")
    )
    found = [
        of(f"R3GAN.{key}") for key in ("gamma", "last_gamma", "last_beta_2", "first_half_life", "burn_in")
    ]
    assert found == [gamma, last_gamma, 0.99, 0.0, burn_in * 1e6]
    assert of("R3GAN.last_rate_share") == (None if name == "stacked_mnist" else 0.25)
    assert of("GAN.ema_half_life") == half_life and of("MovingAdam.learning_rate") == 2e-4
    assert of("GAN.generator_loss").selector.endswith("relativistic_generator")


def test_parts_of_a_generator_by_hand(without_drawing):
    """4x4: 16 * 768 + 64 * 768 and two blocks of 2,583,552; 64x64: 1x1 from 768 to 384, blocks; RGB 3 * 384."""
    costs = {layer.name.split("/")[-1]: layer.parameters for layer in cost.layer_costs(G(**FFHQ_64))}
    assert costs["block4_1"] == costs["block32_2"] == 2_583_552
    assert costs["learned_map"] == 80 * 768 and costs["width64"] == 768 * 384 and costs["to_rgb"] == 3 * 384
    assert costs["width64"] + 2 * costs["block64_1"] == 1_698_816


@pytest.mark.parametrize("tag", ["du", "dc"])
def test_golden_discriminators(tag, golden):
    arrays = golden("r3gan_loss")
    network = golden_discriminator(arrays, tag)
    labels = [np.argmax(arrays["dc/y"], 1)] if tag == "dc" else []
    for kind in ("real", "fake"):
        images = channels_last(arrays[f"{tag}/x_{kind}"])
        logits = network([images, *labels] if labels else images)["adversarial"]
        np.testing.assert_allclose(logits[:, 0], arrays[f"{tag}/{kind}_logits"], rtol=1e-5, atol=1e-5)


def test_first_weights_have_the_published_deviations():
    """Of a network wide enough to tell: 32 channels, K = 50 classes, four blocks."""
    keras.utils.set_random_seed(1)
    sizes = dict(resolution=8, width=(32, 16), group_width=8, num_classes=50)
    generator, discriminator = G(**sizes), D(**sizes)
    deviations = {
        (generator, "class_embedding", 0): 50**-0.5,
        (generator, "learned_map", 0): 1.0,
        (generator, "learned_map", 1): 128**-0.5,
        (generator, "width8", 0): 32**-0.5,
        (generator, "block4_1", 0): 1.3867505 * 4**-0.25 * 32**-0.5,
        (generator, "block8_2", 2): 1.3867505 * 4**-0.25 * 72**-0.5,
        (discriminator, "readout", 0): 0.25,
        (discriminator, "readout", 1): 32**-0.5,
        (discriminator, "class_embedding", 0): (32 * 50) ** -0.5,
    }
    for (network, layer, index), expected in deviations.items():
        weight = network.get_layer(layer).weights[index].numpy()
        assert weight.std() == pytest.approx(expected, rel=4 * (2 * weight.size) ** -0.5), layer


def test_half_precision_is_that_of_the_resolutions_named():
    sizes = dict(resolution=16, width=8, group_width=4, num_classes=3)
    for function, given in ((G, np.ones((2, 64))), (D, np.ones((2, 16, 16, 3)))):
        network = function(**sizes, bfloat16_resolutions=(16, 8))
        narrow = {layer.name for layer in network.layers if layer.compute_dtype == "bfloat16"}
        assert {"block16_1", "block8_2", "to_rgb" if function is G else "from_rgb"} <= narrow
        assert not narrow & {"block4_1", "learned_map", "readout", "class_embedding", "projection"}
        assert {v.dtype for v in network.weights} == {"float32"}
        outputs = network([given.astype("float32"), np.array([0, 2])])
        assert tf.nest.flatten(outputs)[0].dtype == tf.float32


def test_float64():
    keras.config.set_dtype_policy("float64")
    try:
        network = D(8, width=4, group_width=4)
        assert network(np.zeros((1, 8, 8, 3)))["adversarial"].dtype == tf.float64
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resolution": 24}, "resolution is a power of two of at least 4. Received: 24"),
        ({"resolution": 8, "width": (4, 4, 4)}, r"width is one number, or 2. Received: \(4, 4, 4\)"),
        ({"resolution": 8, "bfloat16_resolutions": (16,)}, r"are some of \[4, 8\]. Received: 16"),
    ],
)
@pytest.mark.parametrize("function", [G, D])
def test_what_is_refused(function, arguments, said):
    with pytest.raises(ConfigError, match=f"{function.__name__}: .*{said}"):
        function(**arguments)


def test_golden_names_are_all_weights(golden):
    weights = [n.removeprefix("du/w/") for n in golden("r3gan_loss") if n.startswith("du/w/")]
    assert sorted(weights) == sorted(NAMES)
