"""The losses against the authors' values (`golden/fastgan_losses.npz`) and by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans import losses

FAR = np.full((8, 1), 1e4)  # a logit at which the other half of a hinge or cross-entropy loss is zero


def composed(d):
    """Every scalar of the golden file as a composition of the losses."""
    hinge, cross_entropy = losses.hinge_discriminator, losses.non_saturating_discriminator
    class_real = losses.class_cross_entropy(d["cls_real"], d["y_real"])
    class_fake = losses.class_cross_entropy(d["cls_fake"], d["y_fake"])
    divergence = losses.class_uniform_divergence(d["cls_fake"])
    hinge_real, hinge_fake = hinge(d["adv_real"], -FAR), hinge(FAR, d["adv_fake"])
    bce_real, bce_fake = cross_entropy(d["adv_real"], -FAR), cross_entropy(FAR, d["adv_fake"])
    hinge_g, bce_g = losses.hinge_generator(d["adv_fake"]), losses.non_saturating_generator(d["adv_fake"])
    return {
        "hinge_d_real": hinge_real,
        "hinge_d_fake": hinge_fake,
        "hinge_g": hinge_g,
        "ce_real": class_real,
        "ce_fake": class_fake,
        "kl_u_p_fake": divergence,
        "fastgan_d_fake_acf1.0": hinge_fake + divergence,
        "fastgan_d_fake_acf0.05": hinge_fake + 0.05 * divergence,
        "fastgan_d_real": hinge_real + class_real,
        "fastgan_g_acg1.0": hinge_g + class_fake,
        "fastgan_g_acg0.2": hinge_g + 0.2 * class_fake,
        "robgan_d_real": bce_real + class_real,
        "robgan_d_fake_bf2_cf0": 2.0 * bce_fake,
        "robgan_d_fake_bf1_cf0": bce_fake,
        "robgan_g": bce_g + class_fake,
        "acgan_d_fake": bce_fake + class_fake,
        "acgan_d_real": bce_real + class_real,
        "acgan_g": bce_g + class_fake,
        "hinge_ac_d_fake": hinge_fake + class_fake,
        "proj_d_real": hinge(d["adv_real"] + d["proj_real"], -FAR),
        "proj_d_fake": hinge(FAR, d["adv_fake"] + d["proj_fake"]),
        "proj_g": losses.hinge_generator(d["adv_fake"] + d["proj_fake"]),
        "bce_d_real": bce_real,
        "bce_d_fake": bce_fake,
        "bce_g": bce_g,
        "wgan_d": losses.wasserstein_discriminator(d["adv_real"], d["adv_fake"]),
        "wgan_g": losses.wasserstein_generator(d["adv_fake"]),
    }


def test_golden_scalars(golden):
    data = golden("fastgan_losses")
    values = composed(data)
    scalars = {name for name, array in data.items() if array.ndim == 0}
    assert scalars - set(values) == {"kl_p_u_fake_NOT_USED"}
    for name, value in values.items():
        assert value.shape == () and value.dtype == tf.float64
        assert float(value) == pytest.approx(float(data[name]), abs=1e-12), name


def test_golden_gradients(golden):
    data = golden("fastgan_losses")
    adversarial, classes = tf.constant(data["adv_fake"]), tf.constant(data["cls_fake"])
    with tf.GradientTape() as tape:
        tape.watch((adversarial, classes))
        value = losses.hinge_discriminator(FAR, adversarial) + losses.class_uniform_divergence(classes)
    gradients = tape.gradient(value, (adversarial, classes))
    np.testing.assert_allclose(gradients[0], data["fastgan_d_fake_acf1.0_grad_adv"], atol=1e-12)
    np.testing.assert_allclose(gradients[1], data["fastgan_d_fake_acf1.0_grad_cls"], atol=1e-12)


LN2, S = math.log(2.0), math.log(1.0 + math.e)  # softplus(0) and softplus(1)
REAL, FAKE = [[0.0], [2.0]], [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("hinge", 0.5 + 1.5, -0.5),
        ("non_saturating", (LN2 + S - 1.0 + math.log1p(math.exp(-2.0)) - S + 1.0 + LN2 + S) / 2.0, None),
        ("minimax", None, -(LN2 + S) / 2.0),
        ("wasserstein", 0.5 - 1.0, -0.5),
        ("least_squares", (1.0 + 1.0) / 2.0 + (0.0 + 1.0) / 2.0, 0.5),
    ],
)
def test_by_hand(name, discriminator, generator):
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    if discriminator is not None:
        value = getattr(losses, f"{name}_discriminator")(real, fake)
        assert float(value) == pytest.approx(discriminator, abs=1e-6)
    if generator is not None:
        assert float(getattr(losses, f"{name}_generator")(fake)) == pytest.approx(generator, abs=1e-6)


def test_the_drift_is_that_of_real_logits():
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    value = losses.drift_wasserstein_discriminator(real, fake, drift_weight=0.5)
    assert float(value) == pytest.approx(0.5 - 1.0 + 0.5 * (0.0 + 4.0) / 2.0)


def test_minimax_and_non_saturating():
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    assert float(losses.minimax_discriminator(real, fake)) == float(
        losses.non_saturating_discriminator(real, fake)
    )
    confident = tf.constant([[-20.0]])  # the discriminator is sure: only one generator still learns
    for loss, slope in ((losses.minimax_generator, 0.0), (losses.non_saturating_generator, -1.0)):
        with tf.GradientTape() as tape:
            tape.watch(confident)
            value = loss(confident)
        assert float(tape.gradient(value, confident)[0, 0]) == pytest.approx(slope, abs=1e-6)


def test_class_terms_by_hand():
    logits = tf.math.log([[0.25, 0.75], [0.5, 0.5]])
    expected = -(math.log(0.75) + math.log(0.5)) / 2.0
    assert float(losses.class_cross_entropy(logits, tf.constant([1, 0]))) == pytest.approx(expected, abs=1e-6)
    expected = (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)) / 2.0
    assert float(losses.class_uniform_divergence(logits)) == pytest.approx(expected, abs=1e-6)


def test_low_precision_logits_are_summed_in_float32():
    logits = tf.cast(tf.fill((2000, 1), 1.0), tf.bfloat16)  # a running sum in bfloat16 stops at 256
    value = losses.wasserstein_generator(logits)
    assert value.dtype == tf.float32 and float(value) == -1.0


@pytest.mark.parametrize("loss", [losses.non_saturating_generator, losses.hinge_generator])
def test_extreme_logits_stay_finite(loss):
    assert np.isfinite(float(loss(tf.constant([[-1e4], [1e4]]))))
    assert np.isfinite(float(losses.class_cross_entropy(tf.constant([[-1e4, 1e4]]), tf.constant([0]))))
