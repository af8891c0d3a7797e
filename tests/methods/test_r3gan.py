"""R3GAN: losses of pairs, penalties and schedules against golden files and by hand, in company, resumed, compiled."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import test_octave
import toys
from r3gan_weights import channels_last, golden_discriminator
from slow import some

from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.r3gan.model import R3GAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.robgan import RobGAN
from tfgans.methods.tickets import TicketGAN
from tfgans.optimizers import MovingAdam, TorchAdam

PAIRS = {
    "discriminator_loss": losses.relativistic_discriminator,
    "generator_loss": losses.relativistic_generator,
}
MOVING = {
    "gamma": 0.5, "last_gamma": 0.05, "last_rate_share": 0.25, "last_beta_2": 0.99, "burn_in": 32,
    "ema_half_life": 100.0, "ema_ramp": "constant", "first_half_life": 0.0,
}  # fmt: skip


def make(cls=R3GAN, networks=None, compiled=False, xla=False, optimizer=None, **options):
    """Steps run eagerly, in a fifth of the time that it takes to trace them, unless they are to be compiled."""
    model = cls(*(networks or toys.image_networks(options.get("num_classes"), batch_norm=False)), **options)
    optimizer = optimizer or (lambda: MovingAdam(1e-2, 0.0, 0.9))
    model.compile(optimizer(), optimizer(), run_eagerly=not compiled, jit_compile=xla)
    return model


def train(model, steps=1, first=0):
    """Steps `first`, `first` + 1, ... of a run on images that are all different."""
    count = 8 * model.batches_per_step
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (count * (first + steps), *model.sample_shape)).astype("float32")
    data = {"images": images[count * first :]}
    if model.num_classes:
        data["labels"] = np.arange(len(images), dtype="int32")[count * first :] % model.num_classes
    model.fit(*data.values(), batch_size=count, shuffle=False, verbose=0)
    return model


def assert_close(found, expected, dtype="float32"):
    # the files hold float32
    tolerance = 1e-5 if dtype == "float32" else 2e-7
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * max(scale, 1e-6))


# The losses and the penalties


def test_losses_of_pairs(golden):
    arrays = {name.split("/")[1]: a for name, a in golden("r3gan_loss").items() if name.startswith("pair/")}
    real, fake = (tf.constant(arrays[f"{kind}_logits"][:, None]) for kind in ("real", "fake"))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch((real, fake))
        d_loss = losses.relativistic_discriminator(real, fake)
        g_loss = losses.relativistic_generator(real, fake)
    assert_close(d_loss, arrays["d_loss"])
    assert_close(g_loss, arrays["g_loss"])
    for found, name in (
        (tape.gradient(d_loss, real), "d_grad_real"),
        (tape.gradient(d_loss, fake), "d_grad_fake"),
        (tape.gradient(g_loss, fake), "g_grad_fake"),
    ):
        np.testing.assert_allclose(found[:, 0], arrays[name], rtol=1e-5, atol=1e-9)


def golden_model(golden, tag, dtype="float32", **options):
    """A model with a golden discriminator, and its real and fake batch."""
    arrays = golden("r3gan_loss")
    classes = 4 if tag == "dc" else None
    keras.config.set_dtype_policy(dtype)
    try:
        discriminator = golden_discriminator(arrays, tag)
        latents, labels = keras.Input((2,)), keras.Input((), dtype="int32")
        images = keras.layers.Reshape((8, 8, 3))(keras.layers.Dense(192)(latents))
        generator = keras.Model([latents, labels] if classes else latents, images)
    finally:
        keras.config.set_dtype_policy("float32")
    model = R3GAN(generator, discriminator, num_classes=classes, **PAIRS | options)
    labels = tf.constant(np.argmax(arrays["dc/y"], 1)) if classes else None
    batches = [
        {"images": tf.constant(channels_last(arrays[f"{tag}/x_{kind}"]), dtype), "labels": labels}
        for kind in ("real", "fake")
    ]
    return model, arrays, batches


def expected_gradients(arrays, tag, name):
    return [v.numpy() for v in golden_discriminator(arrays, tag, name).trainable_variables]


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tag", ["du", "dc"])
def test_golden_discriminator_losses(tag, dtype, joint, golden):
    gamma = float(golden("r3gan_loss")[f"{tag}/gamma"])
    model, arrays, batches = golden_model(golden, tag, dtype, gamma=gamma, joint_batch=joint)
    values, gradients = model.discriminator_gradients(*batches)
    for name, kind in (("d/real_slope", "r1"), ("d/fake_slope", "r2")):
        assert_close(values[name], 0.5 * gamma * arrays[f"{tag}/{kind}"].mean(), dtype)
    assert_close(values["d/adversarial"], arrays[f"{tag}/d_adv"].mean(), dtype)
    assert_close(sum(values.values()), arrays[f"{tag}/d_loss"], dtype)
    for found, expected in zip(gradients, expected_gradients(arrays, tag, "d_grad"), strict=True):
        assert_close(found, expected, dtype)


def test_golden_slopes_and_the_loss_alone(golden):
    tag = "dc"
    model, arrays, batches = golden_model(golden, tag, gamma=2.0)
    for batch, seen, kind in zip(batches, model.with_outputs(*batches), ("r1", "r2"), strict=True):
        assert_close(seen["r3gan_slope"], arrays[f"{tag}/{kind}"])
        assert_close(model.squared_slopes(batch), arrays[f"{tag}/{kind}"])
        variables = [v.value for v in model.discriminator.trainable_variables]
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(model.squared_slopes(batch))
        gradients = tape.gradient(mean, variables, unconnected_gradients="zero")
        for found, expected in zip(
            gradients, expected_gradients(arrays, tag, f"grad_mean_{kind}"), strict=True
        ):
            assert_close(found, expected)
    off, _, _ = golden_model(golden, tag, gamma=0.0)
    values, gradients = off.discriminator_gradients(*batches)
    assert list(values) == ["d/adversarial"]
    for found, expected in zip(gradients, expected_gradients(arrays, tag, "d_grad_adv_only"), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("tag", ["du", "dc"])
def test_golden_generator_loss(tag, golden):
    model, arrays, (real, fake) = golden_model(golden, tag)
    with tf.GradientTape() as tape:
        tape.watch(fake["images"])
        terms = model.generator_losses(real, fake)
    assert list(terms) == ["g/adversarial"]
    assert_close(terms["g/adversarial"], arrays[f"{tag}/g_loss"])
    by_images = channels_last(arrays[f"{tag}/g_grad_fake"])
    assert_close(tape.gradient(terms["g/adversarial"], fake["images"]), by_images)


def test_a_penalty_goes_through_the_augmentation():
    """D(x) = <w, T(x)>: the slope is T's transpose of w, with draws of each image's own."""
    model = make(compose(R3GAN, DiffAugmentGAN), gamma=2.0)
    model.split_batch(tf.constant(toys.images(8)))
    real, fake = model.split_batch(tf.constant(toys.images(8)))[0], model.sample(8)
    terms = model.discriminator_losses(real, fake)
    for name, batch in (("d/real_slope", real), ("d/fake_slope", fake)):
        images = tf.convert_to_tensor(batch["images"])
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = tf.reduce_sum(model.discriminate(batch | {"images": images}, True)["adversarial"])
        expected = np.mean(np.sum(np.square(tape.gradient(logits, images)), (1, 2, 3)))
        assert float(terms[name]) == pytest.approx(expected, rel=1e-5)
        plain = {name: x for name, x in batch.items() if not name.startswith("augment/")}
        slopes = [model.squared_slopes(x).numpy() for x in (batch, plain)]
        assert np.mean(slopes[0]) == pytest.approx(expected, rel=1e-5)
        assert not np.allclose(*slopes, rtol=0.02)


# Pairs


def test_both_of_a_pair_are_of_one_class_and_the_generator_has_a_real_batch_of_its_own():
    model, seen = make(GAN, num_classes=3, **PAIRS), []
    data = {"images": tf.constant(toys.images(16)), "labels": tf.constant(np.arange(16) * 7 % 3)}
    plain = model.discriminate_both, model.with_fake_outputs
    model.discriminate_both = lambda *given: seen.append(given) or plain[0](*given)
    model.with_fake_outputs = lambda given: seen.append(given) or plain[1](given)
    assert model.batches_per_step == 2
    model.train_step(data)
    (real, fake), generated, first, again = seen[0], seen[1], *seen[2:]
    np.testing.assert_array_equal(real["images"], data["images"][:8])
    for batch in (real, fake):
        np.testing.assert_array_equal(batch["labels"], data["labels"][:8])
    for batch in (generated, first, again):
        np.testing.assert_array_equal(batch["labels"], data["labels"][8:])
    np.testing.assert_array_equal(again["images"], data["images"][8:])


def test_a_step_by_hand():
    """D(x) = a x + b and G(z) = w z + c: both updates of SGD, with R1 = R2 = a^2, and the new D in the second."""
    model = R3GAN(*toys.scalar_networks(), gamma=0.4, **PAIRS)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    latents, plain = [], model.draw_latents
    model.draw_latents = lambda count, again=False: latents.append(plain(count)) or latents[-1]
    real = np.array([[0.5], [-1.0], [2.0], [0.25]], "float32")
    logs = model.train_step(tf.constant(real))
    z = [batch["latents"].numpy().astype("float64") for batch in latents]
    a, b, w, c = 3.0, 0.0, 2.0, 0.5
    sigmoid = lambda x: 1.0 / (1.0 + np.exp(-x))  # noqa: E731
    gap = (w * z[0] + c) - real[:2]
    assert float(logs["d/adversarial"]) == pytest.approx(np.mean(np.log1p(np.exp(a * gap))), rel=1e-5)
    assert float(logs["d/real_slope"]) == float(logs["d/fake_slope"]) == pytest.approx(0.2 * a**2)
    a -= 0.1 * (np.mean(sigmoid(a * gap) * gap) + 0.4 * 2 * a)
    gap = real[2:] - (w * z[1] + c)
    assert float(logs["g/adversarial"]) == pytest.approx(np.mean(np.log1p(np.exp(a * gap))), rel=1e-5)
    w, c = w + 0.1 * np.mean(sigmoid(a * gap) * a * z[1]), c + 0.1 * np.mean(sigmoid(a * gap) * a)
    found = [v.numpy().item() for v in model.discriminator.weights + model.generator.weights]
    assert found == pytest.approx([a, b, w, c], rel=1e-5, abs=1e-7)


def test_which_losses_are_of_pairs():
    assert losses.of_pairs(losses.relativistic_generator)
    for name in ("hinge", "non_saturating", "minimax", "wasserstein", "least_squares"):
        assert not losses.of_pairs(getattr(losses, f"{name}_generator"))
    assert not losses.of_pairs(losses.relativistic_discriminator) and not losses.of_pairs(None)
    with pytest.raises(ConfigError, match="GAN.generator_loss cannot be called .*fake_logits"):
        make(
            GAN, generator_loss=losses.relativistic_discriminator
        )  # a mistake that must not become a pair's loss


def test_the_sign_that_augmentations_follow_is_of_pairs():
    real, fake = (
        {"outputs": {"adversarial": tf.constant(x)}} for x in ([[3.0], [3.0], [3.0]], [[1.0], [4.0], [5.0]])
    )
    for options, expected in ((PAIRS, -1 / 3), ({}, 1.0)):
        model = make(ADAGAN, **options)
        assert float(model.discriminator_measures(real, fake)["d/real_sign"]) == pytest.approx(expected)


# What moves


@pytest.mark.parametrize("name", ["cifar10", "ffhq64", "ffhq256", "imagenet32", "imagenet64"])
def test_golden_schedules(name, golden):
    arrays = {k.split("/")[2]: a for k, a in golden("r3gan_loss").items() if k.startswith(f"sched/{name}/")}
    ends = {key: (a[0], a[-1]) for key, a in arrays.items()}
    burn_in = 2e8 if name.startswith("imagenet") else 2e7
    model = R3GAN(
        *toys.image_networks(batch_norm=False),
        gamma=ends["gamma"][0], last_gamma=ends["gamma"][1], last_rate_share=0.25, last_beta_2=ends["beta2"][1],
        ema_half_life=ends["ema_nimg"][1], ema_ramp="constant", first_half_life=0.0, burn_in=burn_in,
    )  # fmt: skip
    model.compile(MovingAdam(2e-4, 0.0, 0.9), MovingAdam(2e-4, 0.0, 0.9))
    for index, images in enumerate(arrays["nimg"]):
        model.step.assign(index)
        model.images_seen.assign(int(images))
        model.set_learning_rates()
        assert float(model.moved(model.gamma, model.last_gamma)) == pytest.approx(
            arrays["gamma"][index], rel=1e-12
        )
        for optimizer in model.optimizers().values():
            assert float(optimizer.learning_rate) == pytest.approx(arrays["lr"][index], rel=1e-6)
            assert float(optimizer.moving_beta_2) == pytest.approx(arrays["beta2"][index], rel=1e-12)
        half_life = arrays["ema_nimg"][index]
        assert float(model.average_half_life()) == pytest.approx(max(half_life, 1e-8), rel=1e-6)
        decay = 0.5 ** (512 / max(half_life, 1e-8))
        assert float(model.average_decay(512)) == pytest.approx(decay, abs=1e-7)


def test_adam_with_a_beta_2_that_moves_by_hand():
    """beta_2 of 0.9, 0.95 and 0.99: each corrects the bias by its own power, as PyTorch's Adam does."""
    weight, optimizer = keras.Variable(np.ones(2), dtype="float64"), MovingAdam(0.5, 0.0, 0.9)
    optimizer.build([weight])
    w, v = np.ones(2), np.zeros(2)
    for t, (beta, g) in enumerate(((0.9, [3.0, -1e-3]), (0.95, [0.1, 2.0]), (0.99, [1.0, -4.0])), 1):
        optimizer.moving_beta_2.assign(beta)
        optimizer.apply([tf.constant(g, tf.float64)], [weight])
        v = beta * v + (1 - beta) * np.square(g)
        w = w - 0.5 * np.array(g) / (np.sqrt(v / (1 - beta**t)) + 1e-8)
        np.testing.assert_allclose(weight, w, rtol=1e-6)
    assert "moving_beta_2" in {v.name for v in optimizer.variables}


def test_left_alone_it_is_adam():
    for beta in (0.0, 0.9, 0.999):
        weights = []
        for kind in (TorchAdam, MovingAdam):
            weight, optimizer = keras.Variable(np.ones(2)), kind(0.1, 0.5, beta)
            for g in ([1.0, 1e-4], [-2.0, 3e-4], [0.5, 1e-3]):
                optimizer.apply([tf.constant(g)], [weight])
            weights.append(weight.numpy())
        np.testing.assert_allclose(*weights, rtol=1e-6)
    assert MovingAdam.from_config(MovingAdam(0.1, beta_2=0.75).get_config()).beta_2 == 0.75


def test_a_step_has_the_values_of_the_images_before_it():
    """Burn-in of 32 images, batches of 8: after two steps, 16 images, half way; all of the data counts but G's."""
    model = train(make(discriminator_steps=2, **PAIRS, **MOVING | {"burn_in": 64}), 2)
    assert model.batches_per_step == 3 and int(model.images_seen.value) == 32
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-2 * (1 - 0.75 * np.sin(np.pi / 8) ** 2))
    model.set_learning_rates()
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-2 * 0.625)
    assert float(model.discriminator_optimizer.moving_beta_2) == pytest.approx(0.945)
    assert float(model.average_half_life()) == pytest.approx(50.0)


def test_the_average_is_a_copy_after_the_first_step():
    model = train(make(**PAIRS, **MOVING), 1)
    for mine, own in zip(model.ema_generator.get_weights(), model.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, own)
    train(model, 1, 1)
    assert any(
        np.any(a.numpy() != b)
        for a, b in zip(model.ema_generator.weights, model.generator.weights, strict=True)
    )


def test_settings_begin_anew_where_the_schedule_does():
    model = make(compose(R3GAN, TicketGAN), ticket_rounds=2, round_length=2, **MOVING)
    train(model, 2)
    assert int(model.images_seen.value) == 16 and int(model.seen_so_far()) == 0  # the second round begins
    train(model, 1)
    assert int(model.images_seen.value) == 8


# In company


def test_advas_takes_the_generators_own_real_batch():
    for fresh in (True, False):
        assert make(compose(R3GAN, AdvAsGAN), fresh_real_batch=fresh, **PAIRS).batches_per_step == 2


@pytest.mark.slow
def test_without_penalties_and_burn_in_it_is_the_base():
    for options in ({}, PAIRS):
        base, off = train(make(GAN, **options), 2), train(make(gamma=0.0, **options), 2)
        toys.assert_same(toys.values(off), toys.values(base))


COMPANY = {
    "alone": ((), {}),
    "advas": ((AdvAsGAN,), {}),
    "fastgan": ((FastGAN,), {"perturbation_batch_size": 8}),
    "regan": ((ReGAN,), {"warm_up_length": 1, "sparsity": 0.5, "sparse_length": 1, "dense_length": 1}),
    "octave": ((OctaveGAN,), {}),
    "ada": ((ADAGAN,), {"ada_speed": 0.016, "ada_interval": 1}),
    "diffaugment": ((DiffAugmentGAN,), {}),
    "apa": ((APAGAN,), {"apa_speed": 0.016, "apa_interval": 1, "pseudo_batch_size": 8}),
}


@pytest.mark.parametrize("name", some(COMPANY, every=4))
def test_three_steps_and_a_resume_in_company(name):
    methods, options = COMPANY[name]
    octave = test_octave.networks() if OctaveGAN in methods else None
    classes = None if octave else 3

    def new():
        return make(compose(R3GAN, *methods), octave, num_classes=classes, **PAIRS, **MOVING | options)

    whole = new()
    assert whole.batches_per_step == 2
    train(whole, 1)
    middle = toys.values(whole)
    train(whole, 2, 1)
    end = toys.values(whole)
    checkpoint.write_state(whole, middle)
    train(whole, 2, 1)
    toys.assert_same(toys.values(whole), end)
    assert all(np.all(np.isfinite(value)) for value in end.values() if value.dtype.kind == "f")
    assert sum(np.any(end[key] != middle[key]) for key in end) > 10


@pytest.mark.slow
def test_graph_and_xla_are_eager():
    adam = lambda: MovingAdam(1e-2, 0.0, 0.9, epsilon=0.01)  # noqa: E731
    models = [
        # a large epsilon: the slope of a class's own logit, which both of a pair have, is nothing but rounding
        train(make(compiled=how > 0, xla=how > 1, num_classes=3, optimizer=adam, **PAIRS, **MOVING), 3)
        for how in range(3)
    ]
    assert [int(model.images_seen.value) for model in models] == [24] * 3
    eager = toys.values(models[0])
    for model in models[1:]:
        for name, value in toys.values(model).items():
            np.testing.assert_allclose(value, eager[name], rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("cls", "options", "said"),
    [
        (
            R3GAN,
            {"last_gamma": 0.1},
            "R3GAN.last_gamma needs R3GAN.burn_in, in images. Received: last_gamma = 0.1",
        ),
        (R3GAN, {"burn_in": 8, "first_half_life": 0.0}, "R3GAN.first_half_life needs GAN.ema_half_life"),
        (R3GAN, {"gamma": -1.0}, "R3GAN.gamma is a number of at least 0. Received: -1.0"),
        (GAN, PAIRS | {"generator_batch_ratio": 2}, "GAN.generator_batch_ratio is 1 where .* is of pairs"),
        (RobGAN, PAIRS, "RobGAN attacks the real part .* is of pairs"),
    ],
)
def test_what_is_refused(cls, options, said):
    with pytest.raises(ConfigError, match=said):
        make(cls, **options)


def test_a_search_is_refused():
    import searches

    with pytest.raises(ConfigError, match="AlphaGAN needs losses that are sums of a real and a fake part"):
        AlphaGAN(searches.supernet(), searches.critic(), **PAIRS)


def test_an_optimizer_whose_beta_2_stays_is_refused():
    with pytest.raises(
        ConfigError, match="R3GAN.last_beta_2 needs MovingAdam as the generator's .*: TorchAdam"
    ):
        make(optimizer=lambda: TorchAdam(1e-3), burn_in=8, last_beta_2=0.99)
