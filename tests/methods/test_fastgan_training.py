"""Free adversarial training in company: neutral settings, resuming, penalties, odd batches, bad options."""

import builds
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN

RADIUS = 0.03


LOSSES = toys.FASTGAN_LOSSES


def make(cls=FastGAN, seed=0, **options):
    if issubclass(cls, FastGAN):
        options = {"perturbation_radius": RADIUS, "perturbation_batch_size": 8} | options
    model = cls(*toys.classifier_networks(), **(LOSSES | options), seed=seed)
    model.compile(*(keras.optimizers.SGD(0.1, momentum=0.5) for _ in range(2)), run_eagerly=True)
    return model


def train(model, steps, seed=0):
    random = np.random.default_rng(seed)
    images = random.uniform(-1, 1, (8 * steps, 6, 6, 3)).astype("float32")
    model.fit(images, random.integers(0, 3, 8 * steps), batch_size=8, shuffle=False, verbose=0)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("methods", [(), (GradientPenaltyGAN, R1GAN)], ids=["alone", "with penalties"])
def test_without_radius_and_repetition_it_is_what_it_is_composed_with(methods):
    options = {"ema_decay": 0.5, "discriminator_steps": 2}
    base = train(make(compose(*methods), **options), 4)
    neutral = train(
        make(compose(FastGAN, *methods), perturbation_radius=0, adversarial_steps=1, **options), 4
    )
    toys.assert_same(toys.values(base), toys.values(neutral))
    assert neutral.per_replica_variables() == []


def test_without_radius_the_repetition_stays():
    model = train(make(perturbation_radius=0.0), 3)
    assert int(model.discriminator_optimizer.iterations.numpy()) == 6
    assert int(model.optimizer.iterations.numpy()) == 3
    assert int(model.draws.numpy()) == 6  # two draws a step: both adversarial steps have the same fakes


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"separate_updates": True, "perturb_fakes": True}])
def test_it_goes_on_bit_for_bit(tmp_path, options):
    methods = compose(FastGAN, GradientPenaltyGAN, R1GAN)
    options = options | {"ema_decay": 0.9}
    whole = train(make(methods, **options), 3)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(whole, 3, {})
    names = checkpoint.variables_of(whole)
    assert len({id(v) for v in names.values()}) == len(names)
    state = toys.values(whole)
    train(whole, 3, seed=1)
    fresh = make(methods, seed=5, **options)
    fresh.seed = 0  # of the random streams
    checkpoints.restore(fresh)
    toys.assert_same(toys.values(fresh), state)
    train(fresh, 3, seed=1)
    toys.assert_same(toys.values(fresh), toys.values(whole))
    separate = [n for n, v in names.items() if any(v is p for p in whole.perturbations.values())]
    assert len(separate) == (2 if options.get("perturb_fakes") else 1)
    for name in separate:
        assert state[name].shape == (1, 8, 6, 6, 3)
        assert np.any(state[name] != toys.values(whole)[name])


def test_penalties_are_taken_at_perturbed_images_and_logged():
    model = make(compose(FastGAN, R1GAN), adversarial_steps=1, r1_weight=2.0)
    real, fake = (
        {"images": tf.random.uniform((8, 6, 6, 3), -0.9, 0.9), "labels": tf.zeros(8, tf.int32)} for _ in "rf"
    )
    noise = tf.convert_to_tensor(model.perturbations["real"])
    expected = model.discriminator_losses(real | {"images": real["images"] + noise}, fake)
    values, _, _ = model.perturbed_gradients(real | {"perturbation": noise}, fake)
    assert float(values["d/r1"]) == pytest.approx(float(expected["d/r1"]), rel=1e-5)
    assert float(model.discriminator_losses(real, fake)["d/r1"]) != pytest.approx(
        float(expected["d/r1"]), rel=1e-5
    )
    logs = train(model, 1).step_logs
    assert {"d/r1", "d/class_real", "d/class_fake", "d/gradient_norm", "g/class"} <= set(logs)
    assert not any(name.startswith("slope") for name in logs)


def test_a_shorter_last_batch_uses_the_first_places():
    model = make()
    start = model.perturbations["real"].numpy()
    images = np.random.default_rng(0).uniform(-1, 1, (11, 6, 6, 3)).astype("float32")
    model.fit(images[:3], np.zeros(3, "int32"), batch_size=8, verbose=0)
    after = model.perturbations["real"].numpy()
    np.testing.assert_array_equal(after[3:], start[3:])
    assert np.any(after[:3] != start[:3])
    model.fit(images, np.zeros(11, "int32"), batch_size=8, verbose=0)
    assert np.any(model.perturbations["real"].numpy()[3:] != start[3:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adversarial_steps": 0}, "FastGAN.adversarial_steps is an integer of at least 1. Received: 0"),
        ({"adversarial_steps": True}, "FastGAN.adversarial_steps"),
        (
            {"perturbation_radius": -0.1},
            "FastGAN.perturbation_radius is a number of at least 0. Received: -0.1",
        ),
        ({"perturbation_radius": float("nan")}, "FastGAN.perturbation_radius"),
        (
            {"perturbation_step": -1.0},
            "FastGAN.perturbation_step is a number of at least 0 or None. Received: -1.0",
        ),
        ({"perturbation_norm": "l1"}, "FastGAN.perturbation_norm is one of linf, l2. Received: 'l1'"),
        ({"perturbation_batch_size": 0}, "FastGAN.perturbation_batch_size is an integer"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_a_larger_batch_than_announced_is_refused():
    model = make(perturbation_batch_size=4)
    images = tf.zeros((8, 6, 6, 3))
    with pytest.raises(ConfigError, match="perturbation_batch_size = 4, but a batch holds 8 images"):
        model.discriminator_step({"images": images, "labels": tf.zeros(8, tf.int32)})


@pytest.mark.slow
def test_the_batch_size_is_that_of_the_data():
    """Of a run before its checkpoint is read, of `fit` from its first batch; with the numbers of one that is told."""
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (8, 6, 6, 3)).astype("float32")
    labels = random.integers(0, 3, 8).astype("int32")

    def trained(data, size=None, expected=None, **options):
        model = make(perturbation_batch_size=size, discriminator_steps=2, perturb_fakes=True)
        for count in expected or ():
            model.expect_batch(count)
        model.fit(data, verbose=0, shuffle=False, **options)
        return model

    whole = toys.values(trained(images, 4, y=labels, batch_size=8))
    told = trained(images, expected=(4, 3), y=labels, batch_size=8)  # what is said first stays
    toys.assert_same(toys.values(told), whole)
    flat = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    stepped = flat.map(
        lambda x, y: {"images": tf.reshape(x, (2, 4, 6, 6, 3)), "labels": tf.reshape(y, (2, 4))}
    )

    class Sequence(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, i):
            return images, labels

    streamed = toys.values(trained(flat, 4))  # arrays say the shares of their classes, the others do not
    for data, options, expected in (
        (images, {"y": labels}, whole), (flat, {}, streamed), (stepped, {}, streamed), (Sequence(), {}, streamed),
    ):  # fmt: skip
        model = trained(data, **options)
        assert model.perturbation_batch_size == 4
        toys.assert_same(toys.values(model), expected)
    assert trained(images[:6], y=labels[:6], batch_size=6).perturbation_batch_size == 3


def test_a_batch_size_that_cannot_be_known_is_asked_for():
    model = make(perturbation_batch_size=None)
    assert model.per_replica_variables() == [] and model.images_kept() == ("perturbation",)
    images, labels = np.zeros((8, 6, 6, 3), "float32"), np.zeros(8, "int32")
    message = "FastGAN.perturbation_batch_size is not set"
    with pytest.raises(ConfigError, match=f"{message}: it is the images of a discriminator step"):
        model.discriminator_step({"images": tf.constant(images), "labels": tf.constant(labels)})


def test_an_iterator_says_its_batch_size_by_its_first_batch():
    model = make(perturbation_batch_size=None)
    batches = [(np.zeros((8, 6, 6, 3), "float32"), np.zeros(8, "int32"))] * 2
    model.fit(iter(batches), verbose=0)
    assert {name: tuple(buffer.shape) for name, buffer in model.perturbations.items()} == {
        "real": (8, 6, 6, 3)
    }
    assert int(model.step.numpy()) == 2  # the batch that was looked at is trained on, too


@pytest.mark.slow
def test_a_run_says_its_batch_size():
    from tfgans.run import build

    files = ["gin_configs/fastgan/digits.gin"]
    small = builds.tiny(files)

    def built(*bindings):
        keras.backend.clear_session()
        build.prepare(files, [*small, *bindings])
        return build.build_model()[0].perturbation_batch_size

    assert built("batch_size=6") == 6
    assert built("batch_size=6", "FastGAN.perturbation_batch_size=10") == 10
    with pytest.raises(ConfigError, match="perturbation_batch_size = 10, but a batch holds 12 images"):
        built("batch_size=12", "FastGAN.perturbation_batch_size=10")


def test_a_batch_by_itself_tells_the_batch_size_as_fit_does():
    """9 images of two discriminator steps: 4 of each."""
    model = make(perturbation_batch_size=None, discriminator_steps=2)
    images = np.random.default_rng(0).uniform(-1, 1, (9, 6, 6, 3)).astype("float32")
    model.train_on_batch(images, np.arange(9) % 3)
    assert model.perturbation_batch_size == 4 and model.perturbations["real"].shape == (4, 6, 6, 3)
    model.train_on_batch(images[:4], np.arange(4) % 3)
    assert int(model.step.numpy()) == 2
