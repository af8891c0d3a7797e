"""What must hold for every network: the calling contract, cloning, saving, mixed precision, learning weights."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers.grouped import GroupedResidualBlock
from tfgans.layers.state import depends_on_batch
from tfgans.networks.biggan import biggan_discriminator, biggan_generator
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.lightweight import lightweight_discriminator, lightweight_generator
from tfgans.networks.mlp import mlp_discriminator, mlp_generator
from tfgans.networks.r3gan import r3gan_discriminator, r3gan_generator
from tfgans.networks.resnet import resnet_discriminator, resnet_generator

SMALL = {"base_channels": 8, "channels": 1}
R3GAN = {"resolution": 8, "channels": 1, "width": (8, 4), "group_width": 4, "blocks": 1}
BIGGAN = {"resolution": 16, "attention_resolutions": (8,)}
GENERATORS = {
    "mlp": (mlp_generator, {"hidden_units": 8}, (2,)),
    "mlp_classes": (mlp_generator, {"hidden_units": 8, "num_classes": 3, "output_dim": 5}, (5,)),
    "dcgan_8": (dcgan_generator, SMALL | {"resolution": 8}, (8, 8, 1)),
    "dcgan_32_classes": (dcgan_generator, SMALL | {"num_classes": 3}, (32, 32, 1)),
    "dcgan_instance": (dcgan_generator, SMALL | {"resolution": 16, "normalization": "instance"}, (16, 16, 1)),
    "dcgan_plain": (dcgan_generator, SMALL | {"resolution": 16, "normalization": "none"}, (16, 16, 1)),
    "resnet_8_classes": (resnet_generator, SMALL | {"resolution": 8, "num_classes": 3}, (8, 8, 1)),
    "resnet_16": (resnet_generator, SMALL | {"resolution": 16, "upsampling": "bilinear"}, (16, 16, 1)),
    "resnet_48": (resnet_generator, SMALL | {"resolution": 48}, (48, 48, 1)),
    "resnet_list": (
        resnet_generator,
        {
            "resolution": 12,
            "block_channels": (16, 8, 8),
            "attention_resolutions": (6,),
            "spectral_normalization": True,
        },
        (12, 12, 3),
    ),
    "resnet_projected": (
        resnet_generator,
        SMALL
        | {
            "resolution": 8,
            "num_classes": 3,
            "class_norms": "projected",
            "kernel_initializer": "orthogonal",
            "spectral_normalization": True,
        },
        (8, 8, 1),
    ),
    "lightweight_32": (lightweight_generator, SMALL | {"resolution": 32, "latent_dim": 4}, (32, 32, 1)),
    "r3gan_8_classes": (
        r3gan_generator,
        R3GAN | {"latent_dim": 4, "class_dim": 3, "num_classes": 3},
        (8, 8, 1),
    ),
    "biggan_16_classes": (
        biggan_generator,
        BIGGAN | {"latent_dim": 12, "block_channels": (8, 8, 8), "num_classes": 3, "embedding_dim": 5},
        (16, 16, 3),
    ),
    "biggan_16": (
        biggan_generator,
        BIGGAN | {"latent_dim": 12, "block_channels": (8, 8, 8), "spectral_normalization": False},
        (16, 16, 3),
    ),
}
DISCRIMINATORS = {
    "mlp": (mlp_discriminator, {"hidden_units": 8, "spectral_normalization": True}, (2,)),
    "mlp_class": (mlp_discriminator, {"hidden_units": 8, "num_classes": 3, "conditioning": "class"}, (2,)),
    "dcgan_8": (dcgan_discriminator, SMALL | {"resolution": 8, "normalization": "layer"}, (8, 8, 1)),
    "dcgan_32": (
        dcgan_discriminator,
        SMALL | {"num_classes": 3, "spectral_normalization": True, "normalization": "none"},
        (32, 32, 1),
    ),
    "dcgan_16_batch": (dcgan_discriminator, SMALL | {"resolution": 16}, (16, 16, 1)),
    "resnet_8": (resnet_discriminator, SMALL | {"resolution": 8, "num_classes": 3}, (8, 8, 1)),
    "resnet_16_both": (
        resnet_discriminator,
        SMALL | {"resolution": 16, "num_classes": 3, "conditioning": "both", "pooling": "mean"},
        (16, 16, 1),
    ),
    "resnet_48": (resnet_discriminator, SMALL | {"resolution": 48, "head_bias": False}, (48, 48, 1)),
    "resnet_list_class": (
        resnet_discriminator,
        {
            "resolution": 12,
            "block_channels": (8, 16),
            "wide": True,
            "attention_resolutions": (6,),
            "num_classes": 3,
            "conditioning": "class",
            "spectral_normalization": False,
        },
        (12, 12, 3),
    ),
    "lightweight_32": (lightweight_discriminator, SMALL | {"resolution": 32}, (32, 32, 1)),
    "r3gan_8_classes": (r3gan_discriminator, R3GAN | {"num_classes": 3}, (8, 8, 1)),
    "biggan_16": (
        biggan_discriminator,
        BIGGAN | {"block_channels": (8, 16, 16), "num_classes": 3, "repeat_attention": True},
        (16, 16, 3),
    ),
}
ALL = {f"generator_{k}": v for k, v in GENERATORS.items()}
ALL |= {f"discriminator_{k}": v for k, v in DISCRIMINATORS.items()}
every = pytest.mark.parametrize("name", ALL)


def make(name):
    """The network as it is made, and inputs for it; each is built once, and given its first weights again."""
    network, inputs, weights = _made(name)
    network.set_weights(weights)
    return network, inputs


@functools.cache
def _made(name):
    network, inputs = made(name)
    return network, inputs, network.get_weights()


def made(name):
    """A new network and inputs for it, in the order of the contract."""
    build, arguments, shape = ALL[name]
    keras.utils.set_random_seed(0)
    network = build(**arguments)
    random = np.random.default_rng(0)
    labels = np.array([2, 0, 1, 2], "int32")
    size = network.inputs[0].shape[1:] if name.startswith("generator") else shape
    inputs = random.normal(size=(4, *size)).astype("float32")
    return network, [inputs, labels] if len(network.inputs) == 2 else inputs


def takes_labels(name):
    arguments = ALL[name][1]
    return "num_classes" in arguments and arguments.get("conditioning") != "class"


@every
def test_inputs_and_outputs(name):
    network, inputs = make(name)
    first = "latents" if name.startswith("generator") else "images"
    assert [x.name for x in network.inputs] == ([first, "labels"] if takes_labels(name) else [first])
    outputs = network(inputs)
    _, arguments, shape = ALL[name]
    if first == "latents":
        assert outputs.shape == (4, *shape) and outputs.dtype == tf.float32
        assert len(shape) == 1 or np.abs(outputs).max() <= 1.0 or name.startswith("generator_r3gan")
        return
    has_class = arguments.get("conditioning") in ("class", "both")
    shapes = {"adversarial": (4, 1)} | ({"class": (4, 3)} if has_class else {})
    assert {key: tuple(value.shape) for key, value in outputs.items()} == shapes
    assert {value.dtype for value in outputs.values()} == {tf.float32}


@every
def test_name_says_what_it_is(name):
    network, _ = make(name)
    assert network.name == ALL[name][0].__name__


def flat(outputs):
    return np.concatenate([np.reshape(x, -1) for x in tf.nest.flatten(outputs)])


@every
def test_labels_matter_and_only_where_given(name):
    network, inputs = make(name)
    if not takes_labels(name):
        with pytest.raises(ValueError):
            network([inputs, np.zeros(4, "int32")])
        return
    for layer in network._flatten_layers():
        if hasattr(layer, "num_classes") and hasattr(layer, "gamma"):
            layer.gamma.assign(np.random.default_rng(1).normal(size=layer.gamma.shape))
    other = network([inputs[0], (inputs[1] + 1) % 3])
    assert np.abs(flat(network(inputs)) - flat(other)).max() > 1e-4


@every
def test_clone_and_save(name, tmp_path):
    network, inputs = make(name)
    network(inputs, training=True)  # so that statistics and u differ from new ones
    keras.utils.set_random_seed(1)  # other draws than those of `make`
    clone = keras.models.clone_model(network)
    assert len({id(v) for v in network.variables} & {id(v) for v in clone.variables}) == 0
    assert np.abs(flat(clone(inputs)) - flat(network(inputs))).max() > 1e-6  # new weights
    clone.set_weights(network.get_weights())
    np.testing.assert_array_equal(flat(clone(inputs)), flat(network(inputs)))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert loaded.name == network.name
    assert type(loaded(inputs)) is type(network(inputs))
    np.testing.assert_array_equal(flat(loaded(inputs)), flat(network(inputs)))


@every
def test_every_weight_learns(name):
    network, inputs = make(name)
    for layer in network._flatten_layers():
        if layer.name.startswith("self_attention"):
            layer.gamma.assign(0.5)
        if isinstance(layer, GroupedResidualBlock):  # which begins as the identity
            layer.kernel3.assign(layer.kernel3 + 0.5)
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(network(inputs, training=True))
        loss = tf.add_n([tf.reduce_sum(tf.sin(3.0 * x + 1.0)) for x in outputs])
    values = [v.value for v in network.trainable_variables]
    gradients = tape.gradient(loss, values, unconnected_gradients="zero")
    norms = {v.path: float(tf.norm(g)) for v, g in zip(network.trainable_variables, gradients, strict=True)}
    # the bias of an up block's first convolution is undone by the batch norm after it
    dead = {path for path, norm in norms.items() if norm < 1e-6}
    # of these SelfSupervisedGAN asks for what they make, see tests/methods/test_self_supervised.py
    dead -= {path for path in dead if path.startswith(("decoders/", "to_small/"))}
    assert all("residual_up_block" in path and path.endswith("convolution1/bias") for path in dead), dead


@every
def test_mixed_precision(name):
    exact, inputs = make(name)
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed, _ = made(name)
    mixed.set_weights(exact.get_weights())
    outputs = tf.nest.flatten(mixed(inputs))
    assert {x.dtype for x in outputs} == {tf.float32}
    assert {v.dtype for v in mixed.trainable_variables} == {"float32"}
    assert any(layer.compute_dtype == "bfloat16" for layer in mixed.layers)
    expected = flat(exact(inputs))
    assert np.abs(flat(outputs) - expected).max() < 0.05 * max(1.0, np.abs(expected).max())


@every
def test_float64(name):
    keras.config.set_dtype_policy("float64")
    network, inputs = made(name)
    assert network.inputs[0].dtype == "float64"  # a float32 input would round gradients
    assert {x.dtype for x in tf.nest.flatten(network(inputs))} == {tf.float64}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("generator_mlp", False),
        ("generator_dcgan_instance", False),
        ("generator_dcgan_8", True),
        ("generator_resnet_16", True),
        ("discriminator_mlp", True),  # spectral
        ("discriminator_mlp_class", False),
        ("discriminator_dcgan_8", False),
        ("discriminator_dcgan_16_batch", True),
        ("discriminator_resnet_8", True),
        ("discriminator_resnet_list_class", False),
    ],
)
def test_dependence_on_the_batch_is_found(name, expected):
    network, _ = make(name)
    assert depends_on_batch(network) is expected
