"""N replicas, and micro-batches, are one batch, for every method: logs, also those not linear in it, and weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from replicas import assert_replicas_agree
from test_advas import smooth_networks

from tfgans import distribute
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.regularized import GradientPenaltyGAN


@pytest.mark.slow
def test_two_replicas_or_micro_batches_are_one_batch_for_every_method():
    assert_replicas_agree("import global_batch\nglobal_batch.main()", timeout=1800)


def test_gradient_norms_count_each_row_of_an_embedding_once():
    """Six images share two classes; the norm is that of the gradient as Keras's dense table has it."""
    generator, discriminator = toys.image_networks(num_classes=2, batch_norm=False)
    model = GAN(generator, discriminator, num_classes=2)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    real = {"images": tf.constant(toys.images(6)), "labels": tf.constant([0, 1, 0, 0, 1, 1])}
    before = [v.numpy() for v in discriminator.trainable_variables]
    logs = model.discriminator_step(real)
    moved = [b - v.numpy() for b, v in zip(before, discriminator.trainable_variables, strict=True)]
    expected = np.sqrt(sum(np.sum(np.square(m)) for m in moved)) / 0.1
    np.testing.assert_allclose(logs["d/gradient_norm"], expected, rtol=1e-4)


def test_adam_squares_the_whole_row_of_an_embedding():
    """A first step of Adam is the learning rate, for rows of one sample and of several alike."""
    network = keras.Sequential([keras.Input((), dtype="int32"), keras.layers.Embedding(3, 2)])
    table = network.trainable_variables[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(tf.constant([0, 2, 2])) * [[1.0, -2.0], [3.0, 0.5], [1.0, 2.0]])
    before = table.numpy()
    distribute.apply_means(keras.optimizers.Adam(0.01), tape.gradient(loss, [table.value]), [table])
    moved = (table.numpy() - before) / 0.01
    np.testing.assert_allclose(moved, [[-1, 1], [0, 0], [-1, -1]], atol=1e-4)


def test_a_penalty_pairs_each_real_image_with_the_first_of_its_fakes(monkeypatch):
    """With twice as many fakes, real image n meets fake 2n: of any share of the batch the same ones."""
    model = compose(AdvAsGAN, GradientPenaltyGAN)(*smooth_networks(), num_classes=3, generator_batch_ratio=2)
    seen = []
    monkeypatch.setattr(
        "tfgans.penalties.gradient_penalty",
        lambda critic, *given, **_: seen.append(given) or tf.constant(0.0),
    )
    real = {"images": tf.constant(toys.images(4)), "labels": tf.constant([0, 1, 2, 0])}
    latents = model.draw_latents(8)
    fake = latents | {"images": tf.constant(toys.images(8, seed=1))}
    model.discriminator_losses(real, fake)
    halves = [{k: v[n : n + len(v) // 2] for k, v in batch.items()} for batch, n in ((real, 0), (fake, 0))]
    model.discriminator_losses(*halves)
    (reals, fakes, mix), first = seen
    np.testing.assert_array_equal(reals, real["images"])
    np.testing.assert_array_equal(fakes, fake["images"][::2])
    np.testing.assert_array_equal(mix, latents["gradient_penalty_mix"][::2])
    for whole, half in zip((reals, fakes, mix), first, strict=True):
        np.testing.assert_array_equal(half, whole[:2])


def test_means_are_taken_once():
    """What the step's log has made into means, the update does not send around again; one replica sends nothing."""
    gradients = distribute.Means([tf.constant([1.0])])
    assert distribute.mean(gradients) is gradients
    tensors = [tf.constant([1.0]), tf.constant(2.0)]
    assert all(a is b for a, b in zip(distribute.mean(tensors), tensors, strict=True))
