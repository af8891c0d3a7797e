"""Tiny networks and data for the tests."""

import keras
import numpy as np

from tfgans import losses

# For `classifier_networks`.
FASTGAN_LOSSES = dict(
    num_classes=3,
    discriminator_loss=losses.hinge_discriminator,
    generator_loss=losses.hinge_generator,
    fake_class_loss=losses.class_uniform_divergence,
    fake_class_weight=0.5,
    generator_class_weight=0.2,
)


def scalar_networks():
    """G(z) = w z + c and D(x) = a x + b, with w = 2, c = 0.5, a = 3, b = 0: gradients are found by hand."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="generator")
    discriminator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="discriminator")
    generator.set_weights([np.array([[2.0]]), np.array([0.5])])
    discriminator.set_weights([np.array([[3.0]]), np.array([0.0])])
    return generator, discriminator


def image_networks(num_classes=None, batch_norm=True, seed=0):
    """A pair for 8x8x1 images, with batch normalisation in G and, if asked for, in D."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    latents = keras.Input((4,), name="latents")
    images = keras.Input((8, 8, 1), name="images")
    labels = keras.Input((), dtype="int32", name="labels")
    x, features = latents, layers.Flatten()(layers.LeakyReLU()(layers.Conv2D(4, 3, 2)(images)))
    if num_classes:
        x = layers.Concatenate()([x, layers.Embedding(num_classes, 2)(labels)])
        features = layers.Concatenate()([features, layers.Embedding(num_classes, 2)(labels)])
    x = layers.Reshape((4, 4, 4))(layers.Dense(64)(x))
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Conv2D(1, 3, padding="same", activation="tanh")(layers.UpSampling2D()(x))
    if batch_norm:
        features = layers.BatchNormalization(momentum=0.9)(features)
    logits = layers.Dense(1, name="logits")(features)
    given = [labels] if num_classes else []
    generator = keras.Model([latents, *given] if given else latents, x, name="generator")
    discriminator = keras.Model([images, *given] if given else images, logits, name="discriminator")
    return generator, discriminator


def classifier_networks(num_classes=3, channels=3, seed=0):
    """A conditional G without convolutions, and a D of one convolution with a class head, for 6x6 images."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    latents, labels = keras.Input((4,), name="latents"), keras.Input((), dtype="int32", name="labels")
    x = layers.Concatenate()([latents, layers.Embedding(num_classes, 2)(labels)])
    x = layers.Reshape((6, 6, channels))(layers.Dense(36 * channels, activation="tanh")(x))
    images = keras.Input((6, 6, channels), name="images")
    features = layers.Activation("softplus")(layers.Conv2D(4, 3, 2)(images))
    features = layers.Flatten(name="features")(features)
    outputs = {"adversarial": layers.Dense(1)(features), "class": layers.Dense(num_classes)(features)}
    return keras.Model([latents, labels], x, name="generator"), keras.Model(images, outputs)


def images(count, seed=0):
    """Random images [count, 8, 8, 1] in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 8, 8, 1)).astype("float32")


def fitted(model, data, **options):
    """The logs of each step of a `fit` with the data in its order; options are of `fit`."""
    seen = []
    keep = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(dict(model.step_logs))
    )
    model.fit(data, shuffle=False, verbose=0, callbacks=[keep], **options)
    return seen


def values(model):
    """Copies of all of a model's variables and its optimizers'."""
    from tfgans import checkpoint

    return checkpoint.read_state(model)


def assert_same(first, second):
    """Bit-identical states."""
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
