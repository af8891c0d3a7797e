"""APA: generated images in the place of some real ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from augmenting import SOME, batches, make

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.augmented import APAGAN
from tfgans.methods.regularized import R1GAN


class Watching(GAN):
    """Keeps what the losses get; it runs eagerly."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.__dict__["seen"] = []

    def discriminator_losses(self, real, fake):
        self.seen.append((real, fake))
        return super().discriminator_losses(real, fake)


def test_pseudo_images_are_the_fakes_of_the_step_before():
    model = compose(APAGAN, Watching)(
        *toys.image_networks(3, batch_norm=False), num_classes=3, discriminator_steps=2, **SOME
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    data, labels = toys.images(48), np.arange(48, dtype="int32") % 3
    chances = []
    for step in range(3):
        chances.append(float(model.apa.value()))
        part = slice(16 * step, 16 * step + 16)
        model.fit(data[part], labels[part], batch_size=16, shuffle=False, verbose=0)
    assert chances == [0.0, 1.0, 2.0]  # 16 images a step at a speed of 16
    for index, (real, _) in enumerate(model.seen):
        part = slice(8 * index, 8 * index + 8)
        before = (
            {"images": data[part], "labels": labels[part]} if index < 2 else model.seen[1 + index // 4 * 2][1]
        )
        for name in ("images", "labels"):
            np.testing.assert_array_equal(real[name], before[name])
    assert len(model.seen) == 6


def test_about_a_share_p_of_real_images_is_replaced():
    model = make(APAGAN, pseudo_batch_size=4000)
    model.apa.probability.assign(0.3)
    model.pseudo["images"].assign(np.full((4000, 8, 8, 1), 7.0))
    (batch,) = model.split_batch(tf.constant(toys.images(4000)))
    replaced = np.all(batch["images"] == 7.0, (1, 2, 3))
    assert replaced.mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(batch["images"][~replaced], toys.images(4000)[~replaced])
    (again,) = model.split_batch(tf.constant(toys.images(3)))  # a smaller batch
    assert again["images"].shape == (3, 8, 8, 1)
    kept = model.pseudo["images"].numpy()
    fake = model.sample(3)["images"]
    np.testing.assert_array_equal(model.pseudo["images"].numpy(), np.concatenate([fake, kept[3:]]))


def test_pseudo_images_take_the_batch_size_of_the_data():
    told, model = make(APAGAN, pseudo_batch_size=8), make(APAGAN)
    with pytest.raises(ConfigError, match="APAGAN.pseudo_batch_size is not set: it is the images of"):
        model.split_batch(tf.constant(toys.images(8)))
    model.expect_batch(8)
    toys.assert_same(toys.values(model), toys.values(told))
    assert [v.shape for v in model.per_replica_variables()] == [(8, 8, 8, 1)]
    assert make(APAGAN, apa_speed=float("inf")).awaited_batch_sizes() == ()


def test_mixed_images_are_those_of_penalties_in_any_order():
    for order in ((APAGAN, R1GAN), (R1GAN, APAGAN)):
        model, base = make(compose(*order), pseudo_batch_size=8), make(R1GAN)
        model.apa.probability.assign(0.5)
        model.pseudo["images"].assign(toys.images(8, seed=7))
        real, fake = batches(model)
        assert 0 < np.all(real["images"] == toys.images(8, seed=7), (1, 2, 3)).sum() < 8
        found, expected = model.discriminator_losses(real, fake), base.discriminator_losses(real, fake)
        assert {k: float(v) for k, v in found.items()} == {k: float(v) for k, v in expected.items()}
