"""Contrastive losses by hand, and that both networks learn from them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.contrastive import ContrastiveGAN
from tfgans.networks.dcgan import dcgan_discriminator

EMBEDDINGS, PROXIES = np.random.default_rng(0).normal(size=(2, 5, 3))
LABELS = np.array([0, 1, 0, 2, 1])


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def contragan(embeddings, temperature):
    total = 0.0
    for i, e in enumerate(embeddings):
        near = [np.exp(cosine(e, other) / temperature) for other in embeddings]
        own = np.exp(cosine(e, PROXIES[i]) / temperature)
        others = [j for j in range(5) if j != i]
        same = sum(near[j] for j in others if LABELS[j] == LABELS[i])
        total -= np.log((own + same) / (own + sum(near[j] for j in others)))
    return total / 5


def reacgan(embeddings, temperature, margin):
    total = 0.0
    for i, e in enumerate(embeddings):
        own = np.exp(min(0.0, cosine(e, PROXIES[i]) - margin) / temperature)
        far = [max(0.0, cosine(e, embeddings[j]) - 1 + margin) for j in range(5) if LABELS[j] != LABELS[i]]
        total -= np.log(own / (own + np.exp(np.array(far) / temperature).sum()))
    return total / 5


@pytest.mark.parametrize(
    ("loss", "by_hand", "options"),
    [
        (losses.conditional_contrastive, contragan, {"temperature": 0.7}),
        (losses.data_to_data_cross_entropy, reacgan, {"temperature": 0.4, "margin": 0.9}),
    ],
)
def test_values_and_slopes(loss, by_hand, options):
    embeddings = tf.constant(EMBEDDINGS)
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        value = loss(embeddings, tf.constant(PROXIES), tf.constant(LABELS), **options)
    assert float(value) == pytest.approx(by_hand(EMBEDDINGS, **options), rel=1e-9)
    slope = tape.gradient(value, embeddings).numpy()
    for place in ((0, 1), (3, 2), (4, 0)):
        step = np.zeros((5, 3))
        step[place] = 1e-6
        difference = by_hand(EMBEDDINGS + step, **options) - by_hand(EMBEDDINGS - step, **options)
        assert slope[place] == pytest.approx(difference / 2e-6, rel=1e-5, abs=1e-9)


def test_easy_images_have_no_slope():
    """Beyond both margins: the image is its proxy, and the other class is on the other side."""
    embeddings = tf.constant([[1.0, 0.0], [-1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        proxies = tf.constant([[1.0, 0.0], [-2.0, 0.0]])
        loss = losses.data_to_data_cross_entropy(embeddings, proxies, tf.constant([0, 1]))
    assert float(loss) == pytest.approx(np.log(2.0))
    np.testing.assert_array_equal(tape.gradient(loss, embeddings), np.zeros((2, 2)))


def networks():
    keras.utils.set_random_seed(0)
    sizes = dict(resolution=8, channels=1, base_channels=2, normalization="none")
    heads = dict(num_classes=3, conditioning="contrastive", contrast_dim=5)
    return toys.image_networks(3, batch_norm=False)[0], dcgan_discriminator(**sizes, **heads)


def trained(method, **options):
    model = method(*networks(), num_classes=3, **options)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
    logs = model.train_step((tf.constant(toys.images(4)), tf.constant([0, 1, 2, 0])))
    return logs, toys.values(model)


def test_terms_are_of_real_images_and_of_fakes():
    model = ContrastiveGAN(*networks(), num_classes=3, contrastive_weight=0.25)
    outputs = model.discriminator.output
    assert {name: tuple(x.shape) for name, x in outputs.items()} == {
        "adversarial": (None, 1), "embedding": (None, 5), "proxy": (None, 5)}  # fmt: skip
    real = {"images": tf.constant(toys.images(4)), "labels": tf.constant([0, 1, 2, 0])}
    fake = model.sample(4)
    for batch, terms in (
        (real, model.discriminator_losses(real, fake)),
        (fake, model.generator_losses(real, fake)),
    ):
        outputs = model.discriminate(batch, training=True)
        expected = losses.conditional_contrastive(outputs["embedding"], outputs["proxy"], batch["labels"])
        (name,) = (name for name in terms if "contrastive" in name)
        assert float(terms[name]) == pytest.approx(0.25 * float(expected), rel=1e-5)


def test_a_weight_of_0_is_the_base_and_another_is_not():
    (_, base), (_, off), (logs, other) = (
        trained(method, **options)
        for method, options in (
            (GAN, {}),
            (ContrastiveGAN, {"contrastive_weight": 0.0}),
            (ContrastiveGAN, {"contrastive_loss": losses.data_to_data_cross_entropy}),
        )
    )
    toys.assert_same(base, off)
    assert float(logs["d/contrastive"]) > 0.0 and float(logs["g/contrastive"]) > 0.0
    assert any(np.any(other[name] != value) for name, value in base.items())


def test_a_discriminator_without_embeddings_is_refused():
    with pytest.raises(ConfigError, match="outputs embedding and proxy .* Received: adversarial and None"):
        ContrastiveGAN(*toys.image_networks())


@pytest.mark.parametrize("estimator", ["unbiased", "split_half"])
def test_advas_by_single_pairs_refuses_a_loss_of_the_whole_batch(estimator):
    """A pair alone has no other image to be held against, and on two replicas it would have one."""
    for methods in ((AdvAsGAN, ContrastiveGAN), (ContrastiveGAN, AdvAsGAN)):
        model = compose(*methods)(*networks(), num_classes=3, advas_estimator=estimator)
        with pytest.raises(
            ConfigError, match=f"'{estimator}' needs .* by ContrastiveGAN.contrastive_weight$"
        ):
            model.compile()
        for options in ({"contrastive_weight": 0.0}, {"advas_weight": 0.0}):
            options |= {"advas_estimator": estimator, "num_classes": 3}
            compose(*methods)(*networks(), **options).compile()
