"""A tiny generator of every family, and inputs for it."""

import functools

import keras
import numpy as np
import tensorflow as tf
import toys

from tfgans.methods.alphagan.spaces.autogan.networks import alphagan_generator
from tfgans.methods.alphagan.spaces.autogan.supernet import alphagan_supernet
from tfgans.methods.alphagan.spaces.biggan.networks import alphagan_biggan_generator
from tfgans.methods.alphagan.spaces.biggan.supernet import alphagan_biggan_supernet
from tfgans.methods.alphagan.spaces.stylegan2.networks import alphagan_stylegan2_generator
from tfgans.methods.alphagan.spaces.stylegan2.supernet import alphagan_stylegan2_supernet
from tfgans.methods.octave.convert import to_octave
from tfgans.methods.octave.networks import octave_generator
from tfgans.methods.regan.model import ReGAN
from tfgans.networks.autogan import autogan_generator
from tfgans.networks.biggan import biggan_generator
from tfgans.networks.dcgan import dcgan_generator
from tfgans.networks.lightweight import lightweight_generator
from tfgans.networks.mlp import mlp_generator
from tfgans.networks.mnist import mnist_generator
from tfgans.networks.progan import progan_generator
from tfgans.networks.r3gan import r3gan_generator
from tfgans.networks.resnet import resnet_generator
from tfgans.networks.stylegan2 import stylegan2_generator

_SIZE = dict(resolution=8, channels=1, latent_dim=4)
_BIGGAN = dict(channels=1, latent_dim=8, num_classes=3, embedding_dim=2)
_POOLS = dict(normal_operations=("conv_1x1",), up_operations=("nearest",))
_STYLES = dict(style_dim=4, max_channels=4)

FAMILIES = {
    "mlp": lambda: mlp_generator(4, hidden_units=8, num_classes=3),
    "dcgan": lambda: dcgan_generator(**_SIZE, base_channels=8, num_classes=3),
    "resnet": lambda: resnet_generator(**_SIZE, base_channels=4),
    "sagan": lambda: resnet_generator(
        **_SIZE,
        base_channels=8,
        num_classes=3,
        spectral_normalization=True,
        attention_resolutions=(8,),
        upsampling="bilinear",
    ),
    "biggan": lambda: biggan_generator(
        8, block_channels=(8, 8), spectral_normalization=True, attention_resolutions=(8,), **_BIGGAN
    ),
    "autogan": lambda: autogan_generator(32, 1, 4, base_channels=4),
    "mnist": lambda: mnist_generator(latent_dim=4, base_channels=4),
    "stylegan2": lambda: stylegan2_generator(**_SIZE, **_STYLES, mapping_layers=2),
    "progan": lambda: progan_generator(**_SIZE, max_channels=4, min_channels=4),
    "r3gan": lambda: r3gan_generator(**_SIZE, width=4, group_width=4, num_classes=3, class_dim=2),
    "lightweight": lambda: lightweight_generator(32, 1, 4, base_channels=8),
    "octave": lambda: octave_generator(16, 1, 4, base_channels=4, max_channels=8),
    "to_octave": lambda: to_octave(dcgan_generator(**_SIZE, base_channels=8), 0.5),
    "alphagan": lambda: alphagan_generator(channels=1, latent_dim=4, base_channels=4),
    "alphagan_stylegan2": lambda: alphagan_stylegan2_generator(
        "adversarialnas_celeba_micro_w", channels=1, latent_dim=4, **_STYLES
    ),
    "alphagan_biggan": lambda: alphagan_biggan_generator(base_channels=4, **_BIGGAN),
    "supernet": lambda: alphagan_supernet(channels=1, latent_dim=4, base_channels=4, **_POOLS),
    "supernet_stylegan2": lambda: alphagan_stylegan2_supernet(
        **_SIZE, **_STYLES, normal_operations=("conv_1x1",), up_operations=("deconv",)
    ),
    "supernet_biggan": lambda: alphagan_biggan_supernet(base_channels=4, **_BIGGAN, **_POOLS),
    "sparse": lambda: pruned().part("sparse"),
    "dense": lambda: pruned().part("dense"),
}


@functools.cache
def pruned():
    """A model that Re-GAN has in a dense phase, after a sparse one."""
    generator = dcgan_generator(**_SIZE, base_channels=8)
    discriminator = critic((8, 8, 1))
    model = ReGAN(generator, discriminator, sparsity=0.5, warm_up_length=1, sparse_length=1, ema_decay=0.5)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    tf.config.run_functions_eagerly(True)  # tracing takes longer than three steps
    model.fit(toys.images(24), batch_size=8, shuffle=False, verbose=0)
    tf.config.run_functions_eagerly(False)
    return model


def critic(shape):
    """The least discriminator of items of a shape."""
    items = keras.Input(shape)
    return keras.Model(items, keras.layers.Dense(1)(keras.layers.Flatten()(items)))


def inputs(network, count=2):
    """Latents (and labels) that a generator takes, drawn from a fixed stream."""
    drawn = [np.random.default_rng(0).normal(size=(count, network.inputs[0].shape[-1])).astype("float32")]
    return drawn + [np.arange(count, dtype="int32")] * (len(network.inputs) > 1)


def shaken(network):
    """The network with weights and statistics that are not those it is made with."""
    random = np.random.default_rng(1)
    for weight in network.weights:
        if weight.dtype.startswith("float"):
            weight.assign(weight.numpy() + random.uniform(0, 0.1, weight.shape))
    return network


def output(network, given):
    """What a generator makes of inputs, as an array."""
    return np.asarray(network(given if len(given) > 1 else given[0], training=False))
