"""Which kernels BigGAN's orthogonal regularization sees, as which matrices, and what it does in training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.gan import GAN
from tfgans.layers.embedding import ClassEmbedding
from tfgans.layers.spectral import SpectralConv2D, SpectralConv2DTranspose, SpectralDepthwiseConv2D
from tfgans.methods.orthogonal import OrthogonalGAN, kernel_matrices
from tfgans.networks.biggan import biggan_generator

L = keras.layers


def products(matrices):
    """The penalty in float64: products of different columns, squared."""
    total = 0.0
    for matrix in matrices:
        gram = matrix.T.astype("float64") @ matrix
        total += ((gram - np.diag(np.diag(gram))) ** 2).sum()
    return total


@pytest.mark.parametrize(
    ("layer", "inputs", "shape"),
    [
        (lambda: L.Dense(5), (3,), (3, 5)),
        (lambda: L.Conv2D(5, 2), (4, 4, 3), (2 * 2 * 3, 5)),
        (lambda: L.Conv2DTranspose(5, 2), (4, 4, 3), (2 * 2 * 3, 5)),
        (lambda: L.DepthwiseConv2D(2, depth_multiplier=2), (4, 4, 3), (2 * 2, 6)),
    ],
)
def test_a_column_holds_the_weights_of_one_output_channel(layer, inputs, shape):
    """The gradient of one output channel is in one column."""
    layer = layer()
    network = keras.Sequential([keras.Input(inputs), layer])
    (matrix,) = kernel_matrices(network)
    assert matrix.shape == shape
    images = np.random.default_rng(0).normal(size=(2, *inputs)).astype("float32")
    with tf.GradientTape() as tape:
        outputs = tf.reduce_sum(network(images)[..., 1])
    gradient = tape.gradient(outputs, layer.kernel)
    layer.kernel.assign(gradient)
    (only,) = kernel_matrices(network)
    assert (np.abs(only.numpy()).max(0) > 0).tolist() == [i == 1 for i in range(shape[1])]


@pytest.mark.parametrize(
    ("spectral", "plain"),
    [
        (SpectralConv2D(5, 2), L.Conv2D(5, 2)),
        (SpectralConv2DTranspose(5, 2), L.Conv2DTranspose(5, 2)),
        (SpectralDepthwiseConv2D(2), L.DepthwiseConv2D(2)),
    ],
)
def test_spectral_layers_give_their_raw_kernel(spectral, plain):
    networks = [keras.Sequential([keras.Input((4, 4, 3)), layer]) for layer in (plain, spectral)]
    spectral.kernel.assign(plain.kernel)
    (expected,), (found,) = map(kernel_matrices, networks)
    np.testing.assert_array_equal(found, expected)


def test_embeddings_norms_and_biases_are_left_out():
    labels = keras.Input((), dtype="int32")
    network = keras.Model(labels, L.Dense(2)(ClassEmbedding(3, 4)(labels)))
    assert [tuple(m.shape) for m in kernel_matrices(network)] == [(4, 2)]


def test_kernels_of_biggan():
    options = {"resolution": 8, "block_channels": (8, 8), "latent_dim": 8, "num_classes": 3, "channels": 1}
    network = biggan_generator(attention_resolutions=(8,), embedding_dim=5, **options)
    shapes = sorted(tuple(m.shape) for m in kernel_matrices(network))
    convolutions = [(72, 8), (72, 8), (8, 8), (72, 1)]
    attention = [(8, 1), (8, 1), (8, 4), (4, 8)]
    assert shapes == sorted([(4, 128), *[(9, 8)] * 4, *convolutions, *attention])


def test_the_term_is_the_weight_times_the_products():
    real, fake = ({"images": tf.constant(toys.images(4, seed)), "labels": None} for seed in range(2))
    model = OrthogonalGAN(*toys.image_networks(batch_norm=False), orthogonal_weight=0.25)
    terms = model.generator_losses(real, fake)
    base = GAN(*toys.image_networks(batch_norm=False)).generator_losses(real, fake)
    assert float(terms.pop("g/orthogonal")) == pytest.approx(
        0.25 * products(np.asarray(m) for m in kernel_matrices(model.generator)), rel=1e-5
    )
    assert {name: float(value) for name, value in terms.items()} == {
        name: float(value) for name, value in base.items()
    }


@pytest.mark.slow
def test_training_makes_columns_orthogonal():
    def after(weight):
        model = OrthogonalGAN(*toys.image_networks(batch_norm=False), orthogonal_weight=weight)
        model.compile(keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.02), jit_compile=weight > 0.0)
        model.fit(toys.images(160), batch_size=8, verbose=0)
        return products(np.asarray(m) for m in kernel_matrices(model.generator))

    start = products(np.asarray(m) for m in kernel_matrices(toys.image_networks()[0]))
    with_penalty, without = after(0.3), after(0.0)
    assert without > 0.7 * start
    assert with_penalty < 0.3 * start
