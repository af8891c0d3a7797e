"""Free adversarial training against the authors' code and by finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.methods import compose
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import R1GAN
from tfgans.optimizers import TorchAdam

RADIUS = 0.03


LOSSES = toys.FASTGAN_LOSSES


WEIGHTS = [
    f"{layer}_{part}"
    for layer, kernel in (("conv1", "hwio"), ("conv2", "hwio"), ("adv", "io"), ("cls", "io"))
    for part in (f"kernel_{kernel}", "bias")
]


def published_networks(data):
    """The golden discriminator as it starts, and any generator of its image size."""
    layers = keras.layers
    images = keras.Input((6, 6, 3), name="images")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1")(images)
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="conv2")(layers.AveragePooling2D(2)(x))
    features = 9.0 * layers.GlobalAveragePooling2D()(x)
    outputs = {
        "adversarial": layers.Dense(1, name="adv")(features),
        "class": layers.Dense(3, name="cls")(features),
    }
    discriminator = keras.Model(images, outputs, name="discriminator")
    for name, variable in weights_of(discriminator).items():
        variable.assign(data[f"w0_{name}"])
    return toys.classifier_networks()[0], discriminator


def weights_of(discriminator):
    """The variables by the golden file's names."""
    found = {}
    for layer in ("conv1", "conv2", "adv", "cls"):
        kernel, bias = discriminator.get_layer(layer).weights
        found |= {f"{layer}_kernel_{'hwio' if 'conv' in layer else 'io'}": kernel, f"{layer}_bias": bias}
    return found


def golden_batches(data):
    """The golden real and fake batch."""
    return tuple(
        {
            "images": tf.constant(data[f"x_{kind}_nhwc"], keras.config.floatx()),
            "labels": tf.constant(data[f"y_{kind}"], tf.int32),
        }
        for kind in ("real", "fake")
    )


class Given(FastGAN):
    """Its fakes are given."""

    def sample(self, count, given=None):
        return self.fake


def published(data, **options):
    """A model at the golden file's start, and its real batch."""
    model = Given(
        *published_networks(data),
        perturbation_radius=RADIUS,
        perturbation_batch_size=4,
        **(LOSSES | options),
    )
    real, model.fake = golden_batches(data)
    model.perturbations["real"].assign(data["eps0_nhwc"])
    return model, real


def compiled(model, optimizer=None, **options):
    model.compile(keras.optimizers.SGD(0.01), optimizer or keras.optimizers.SGD(0.1), **options)
    return model


def assert_golden(model, data, moment, tolerance=1e-5):
    for name, variable in weights_of(model.discriminator).items():
        np.testing.assert_allclose(
            variable.numpy(), data[f"{moment}_{name}"], atol=tolerance, rtol=0, err_msg=name
        )
    noise = model.perturbations["real"].numpy()
    np.testing.assert_allclose(noise, data[f"{moment}_eps_nhwc"], atol=1e-7, rtol=0)


def distance(model, data, moment):
    return max(
        np.abs(v.numpy() - data[f"{moment}_{n}"]).max() for n, v in weights_of(model.discriminator).items()
    )


@pytest.mark.parametrize(
    ("mode", "joint"),
    [
        ({"run_eagerly": True}, True),
        ({"run_eagerly": True}, False),
        ({}, True),
        ({"jit_compile": True}, False),
    ],
)
def test_the_published_steps(golden, mode, joint):
    data = golden("fastgan_advstep")
    for steps in (1, 2, 3) if "run_eagerly" in mode else (2,):
        model, real = published(data, adversarial_steps=steps, joint_batch=joint)
        compiled(model, **mode)
        step = model.discriminator_step if "run_eagerly" in mode else tf.function(model.discriminator_step)
        logs = step(real)
        assert_golden(model, data, f"code_step{steps}")
        assert distance(model, data, f"paper2_step{steps}") > 1e-2
        expected = [
            data[f"code_step{n}_loss_{kind}"] for n in range(1, steps + 1) for kind in ("real", "fake")
        ]
        total = sum(float(logs[name]) for name in ("d/adversarial", "d/class_real", "d/class_fake"))
        assert total == pytest.approx(sum(expected) / steps, abs=1e-5)


def test_the_perturbation_goes_on_from_batch_to_batch(golden):
    data = golden("fastgan_advstep")
    model, real = published(data, adversarial_steps=1)
    compiled(model)
    for steps in (1, 2, 3):
        model.discriminator_step(real)
        assert_golden(model, data, f"code_step{steps}")


@pytest.mark.parametrize("mode", [{}, {"jit_compile": True}])
def test_the_papers_two_separate_updates(golden, mode):
    data = golden("fastgan_advstep")
    for steps in (2,) if mode else (1, 2, 3):
        model, real = published(data, adversarial_steps=steps, separate_updates=True)
        compiled(model, **mode)
        (tf.function(model.discriminator_step) if mode else model.discriminator_step)(real)
        assert_golden(model, data, f"paper2_step{steps}")
        assert int(model.discriminator_optimizer.iterations.numpy()) == 2 * steps


def test_the_published_steps_with_adam(golden):
    data = golden("fastgan_advstep")
    for steps in (1, 2):
        model, real = published(data, adversarial_steps=steps)
        compiled(model, TorchAdam(2e-4, beta_1=0.0, beta_2=0.9))
        model.discriminator_step(real)
        assert_golden(model, data, f"adam_step{steps}", 2e-7)


def test_the_published_generator_loss(golden):
    data = golden("fastgan_advstep")
    model, real = published(data)
    for name, variable in weights_of(model.discriminator).items():
        variable.assign(data[f"code_step2_{name}"])
    with tf.GradientTape() as tape:
        tape.watch(model.fake["images"])
        loss = sum(model.generator_losses(real, model.fake).values())
    assert float(loss) == pytest.approx(float(data["gen_loss_after2"]), abs=1e-6)
    gradient = tape.gradient(loss, model.fake["images"])
    np.testing.assert_allclose(gradient, data["gen_grad_xfake_after2_nhwc"], atol=1e-6)


@pytest.mark.parametrize("fakes", [False, True])
@pytest.mark.parametrize("methods", [(), (R1GAN,)])
def test_slopes_and_weight_gradients_by_finite_differences(fakes, methods):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    cls = compose(FastGAN, *methods)
    model = cls(*toys.classifier_networks(), perturbation_batch_size=4, perturb_fakes=fakes, **LOSSES)
    random = np.random.default_rng(0)
    batches = [
        {"images": tf.constant(random.uniform(-1, 1, (4, 6, 6, 3))), "labels": tf.constant([0, 1, 2, 0])}
        for _ in range(2)
    ]
    noise = {name: tf.constant(v.numpy(), tf.float64) for name, v in model.perturbations.items()}
    given = [
        b | ({"perturbation": noise[n]} if n in noise else {})
        for n, b in zip(("real", "fake"), batches, strict=True)
    ]
    values, gradients, slopes = model.perturbed_gradients(*given)
    at = [
        tf.clip_by_value(g["images"] + g["perturbation"], -1, 1) if "perturbation" in g else g["images"]
        for g in given
    ]

    def loss(images):
        moved = [b | {"images": tf.constant(i)} for b, i in zip(batches, images, strict=True)]
        return sum(float(v) for v in model.discriminator_losses(*moved).values())

    assert sum(float(v) for v in values.values()) == pytest.approx(loss(at), abs=1e-12)
    assert list(slopes) == list(noise)
    for place, name in enumerate(noise):
        for _ in range(3):
            direction = random.normal(size=(4, 6, 6, 3))
            ends = [[*at[:place], at[place] + h * direction, *at[place + 1 :]] for h in (1e-5, -1e-5)]
            expected = (loss(ends[0]) - loss(ends[1])) / 2e-5
            assert float(tf.reduce_sum(slopes[name] * direction)) == pytest.approx(expected, rel=1e-6)
    variable, gradient = model.discriminator.trainable_variables[0], gradients[0]
    start, direction = variable.numpy(), random.normal(size=variable.shape)
    ends = []
    for h in (1e-5, -1e-5):
        variable.assign(start + h * direction)
        ends.append(loss(at))
    assert float(tf.reduce_sum(gradient * direction)) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_the_perturbation_starts_with_random_numbers_within_bounds():
    starts = []
    for seed in (0, 0, 1):
        model = FastGAN(*toys.classifier_networks(), **LOSSES, perturbation_batch_size=50, seed=seed)
        starts.append(model.perturbations["real"].numpy())
    assert starts[0].shape == (50, 6, 6, 3)
    np.testing.assert_array_equal(starts[0], starts[1])
    assert np.any(starts[0] != starts[2])
    radius = np.float32(6e-3)
    assert np.abs(starts[0]).max() == radius
    # |z| > 0.006 for 99.5 % of normal z, half of them on each side
    assert np.mean(np.abs(starts[0]) == radius) == pytest.approx(0.9952, abs=0.004)
    assert np.mean(starts[0] > 0) == pytest.approx(0.5, abs=0.03)


def test_uphill_in_both_norms_by_hand():
    maximum = FastGAN(
        *toys.classifier_networks(),
        **LOSSES,
        perturbation_radius=0.5,
        perturbation_step=0.2,
        perturbation_batch_size=1,
    )
    noise = tf.constant([0.4, -0.1, 0.5, -0.5, 0.1])[None, :]
    slope = tf.constant([3.0, -0.01, -9.0, -1.0, 0.0])[None, :]
    np.testing.assert_allclose(maximum.uphill(noise, slope), [[0.5, -0.3, 0.3, -0.5, 0.1]], atol=1e-7)
    euclidean = FastGAN(
        *toys.classifier_networks(),
        **LOSSES,
        perturbation_radius=5.0,
        perturbation_step=10.0,
        perturbation_norm="l2",
        perturbation_batch_size=3,
    )
    noise = tf.constant([[1.0, 0.0], [3.0, 4.0], [0.5, 0.5]])
    slope = tf.constant([[0.0, 7.0], [0.0, 0.0], [-1e-9, 0.0]])
    # [1, 10], cut to length 5; no slope, no step; any slope counts, however small: [-9.5, 0.5], cut.
    expected = [[5 / 101**0.5, 50 / 101**0.5], [3.0, 4.0], [-47.5 / 90.5**0.5, 2.5 / 90.5**0.5]]
    np.testing.assert_allclose(euclidean.uphill(noise, slope), expected, atol=1e-5)
    lengths = np.sqrt(np.sum(euclidean.perturbations["real"].numpy() ** 2, (1, 2, 3)))
    np.testing.assert_allclose(lengths, 5.0, atol=1e-5)  # 108 normal numbers are longer than that


def test_images_stay_in_range_and_points_are_free():
    model = compiled(
        FastGAN(*toys.classifier_networks(), **LOSSES, perturbation_radius=0.5, perturbation_batch_size=4)
    )
    seen = []
    model.discriminator_losses = lambda real, fake: (
        seen.append((real, fake)) or {"d/adversarial": tf.reduce_sum(model.discriminate(real)["adversarial"])}
    )
    images = tf.fill((4, 6, 6, 3), 0.9)
    fake = {"images": images, "labels": None}
    noise = tf.concat([tf.fill((2, 6, 6, 3), 0.3), tf.fill((2, 6, 6, 3), -0.3)], 0)
    real = {"images": images, "labels": None, "perturbation": noise}
    _, _, slopes = model.perturbed_gradients(real, fake)
    np.testing.assert_allclose(seen[0][0]["images"][:, 0, 0, 0], [1.0, 1.0, 0.6, 0.6], atol=1e-6)
    np.testing.assert_array_equal(seen[0][1]["images"], images)
    assert np.all(slopes["real"][0, :5, :5].numpy() != 0)  # the clip does not mask the gradient
    points = FastGAN(
        *toys.scalar_networks(), perturbation_radius=0.5, perturbation_batch_size=2, adversarial_steps=1
    )
    compiled(points)
    points.perturbations["real"].assign([[0.25], [-0.25]])
    real = {"images": tf.constant([[7.0], [8.0]]), "labels": None}
    # D(x) = 3 x grows with x, and the loss falls with D(real): uphill is down.
    points.discriminator_step(real)
    np.testing.assert_allclose(points.perturbations["real"].numpy(), [[-0.25], [-0.5]], atol=1e-7)


def test_fakes_have_a_perturbation_of_their_own():
    model = compiled(
        FastGAN(
            *toys.scalar_networks(),
            perturbation_radius=0.5,
            perturbation_step=0.125,
            perturbation_batch_size=2,
            adversarial_steps=3,
            perturb_fakes=True,
        ),
        keras.optimizers.SGD(0.0),
    )
    for variable in model.perturbations.values():
        variable.assign([[0.25], [-0.25]])
    model.discriminator_step({"images": tf.constant([[0.1], [0.2]]), "labels": None})
    # Uphill on the loss is towards a lower D for the real ones, a higher D for the fakes, three times 0.125.
    np.testing.assert_allclose(model.perturbations["real"].numpy(), [[-0.125], [-0.5]], atol=1e-7)
    np.testing.assert_allclose(model.perturbations["fake"].numpy(), [[0.5], [0.125]], atol=1e-7)
