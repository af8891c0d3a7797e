"""Real and fake images in one batch through a conditional discriminator."""

import numpy as np
import tensorflow as tf
import toys

from tfgans.gan import GAN


def test_labels_stay_with_their_images_in_one_batch():
    model = GAN(*toys.image_networks(num_classes=3, batch_norm=False), num_classes=3)
    real = {"images": tf.constant(toys.images(4)), "labels": tf.constant([0, 1, 2, 0])}
    fake = {"images": tf.constant(toys.images(6, seed=1)), "labels": tf.constant([2, 2, 1, 0, 1, 1])}
    found = {}
    for joint in (True, False):
        model.joint_batch = joint
        found[joint] = [outputs["adversarial"].numpy() for outputs in model.discriminate_both(real, fake)]
    for one, apart in zip(found[True], found[False], strict=True):
        assert one.shape == apart.shape and np.ptp(one) > 1e-3
        np.testing.assert_allclose(one, apart, atol=1e-6)
