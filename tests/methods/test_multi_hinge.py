"""MHGAN by hand: the hinge loss of several classes, and the losses of both networks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.methods.multi_hinge import MultiHingeGAN
from tfgans.networks.dcgan import dcgan_discriminator


def test_the_loss_and_its_slope():
    """Margins 1 + 3 - 1 and 1 + 1 - 4 < 0 of two rows."""
    logits = tf.constant([[1.0, 3.0, -2.0], [0.0, 1.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.multi_hinge(logits, tf.constant([0, 2]))
    assert float(loss) == pytest.approx(3.0 / 2)
    np.testing.assert_allclose(tape.gradient(loss, logits), [[-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])


def models(**options):
    """K = 2; images [x], features (x, 2 x), class logits (x, -x), adversarial logit 3 x."""
    latents, images = keras.Input((1,)), keras.Input((1,))
    scale = lambda *numbers: keras.layers.Dense(len(numbers), use_bias=False)  # noqa: E731
    layers = {"adversarial": scale(3.0), "class": scale(1.0, -1.0), "features": scale(1.0, 2.0)}
    critic = keras.Model(images, {name: layer(images) for name, layer in layers.items()})
    for name, numbers in (("adversarial", [3.0]), ("class", [1.0, -1.0]), ("features", [1.0, 2.0])):
        layers[name].kernel.assign([numbers])
    generator = keras.Model(latents, keras.layers.Dense(1)(latents))
    return MultiHingeGAN(generator, critic, num_classes=2, **options)


def batch(images, labels):
    return {"images": tf.constant(images)[:, None], "labels": tf.constant(labels)}


def test_losses_of_both_networks():
    """Logits of x are (x, -x, -3 x), the last of them the fakes'."""
    model = models(multi_hinge_weight=0.5, feature_matching_weight=2.0)
    real, fake = batch([0.25, -1.0], [0, 1]), batch([1.0, -1.0], [0, 0])
    terms = model.discriminator_losses(real, fake)
    of_real = ((1 - 0.25 - 0.25) + (1 + 3.0 - 1.0)) / 2
    of_fake = ((1 + 1 + 3.0) + 0.0) / 2  # 1 + 1 - 3 of the second
    assert set(terms) == {"d/adversarial"}
    assert float(terms["d/adversarial"]) == pytest.approx(of_real + of_fake)
    terms = model.generator_losses(real, fake)
    # fakes of class 0: 1 - 1 - 1 < 0, and 1 + 3 + 1
    assert float(terms["g/adversarial"]) == pytest.approx(0.5 * 5.0 / 2)
    # mean features of fakes 0, of real images -0.375 and twice that
    assert float(terms["g/feature_matching"]) == pytest.approx(2.0 * (0.375 + 0.75) / 2)
    assert set(terms) == {"g/adversarial", "g/feature_matching"}


def test_only_fakes_give_the_matching_a_slope():
    model = models()
    real, fake = (tf.constant([[2.0], [1.0]]), tf.constant([[0.0], [0.5]]))
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        batches = ({"images": images, "labels": tf.constant([0, 1])} for images in (real, fake))
        term = model.generator_losses(*batches)["g/feature_matching"]
    of_real, of_fake = tape.gradient(term, [real, fake])
    assert of_real is None
    np.testing.assert_allclose(of_fake, [[-0.75], [-0.75]])  # half of (1 + 2) / 2 each


def test_a_network_of_the_house_has_the_outputs():
    sizes = dict(resolution=8, channels=1, base_channels=2, normalization="none")
    generator = toys.image_networks(3, batch_norm=False)[0]
    network = dcgan_discriminator(**sizes, num_classes=3, conditioning="class_features")
    model = MultiHingeGAN(generator, network, num_classes=3)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    logs = model.train_step((tf.constant(toys.images(4)), tf.constant([0, 1, 2, 0])))
    assert {"d/adversarial", "g/adversarial", "g/feature_matching"} <= set(logs)
    assert network.output["features"].shape[1] == 4 * 4 * 2
    off = models(feature_matching_weight=0.0)
    assert set(off.generator_losses(None, batch([1.0], [0]))) == {"g/adversarial"}


def test_what_it_cannot_take_is_refused():
    with pytest.raises(ConfigError, match="outputs class and features .* Received: adversarial and None"):
        MultiHingeGAN(*toys.image_networks())
    with pytest.raises(
        ConfigError, match="leave GAN.generator_loss out, or give @non_saturating_generator where"
    ):
        models(generator_loss=losses.hinge_generator)
