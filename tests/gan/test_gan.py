"""The base model: what a step does to which weights, in numbers found by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.layers.state import state_is_frozen
from tfgans.methods import compose
from tfgans.methods.orthogonal import OrthogonalGAN
from tfgans.methods.r3gan.model import R3GAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN
from tfgans.methods.rggan.model import RGGAN

WASSERSTEIN = dict(
    discriminator_loss=losses.wasserstein_discriminator, generator_loss=losses.wasserstein_generator
)
EAGERLY, GRAPHS = {"run_eagerly": True}, {"run_eagerly": False}


class FixedLatents(GAN):
    """Latents 1 and 3 at every draw."""

    def draw_latents(self, count):
        return {"latents": tf.constant([[1.0], [3.0]]), "labels": None}


def compiled(model, rate=0.1, **options):
    """It runs eagerly, in a fifth of the time that it takes to trace a step, unless it is told how."""
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), **(options or EAGERLY))
    return model


@pytest.mark.parametrize("mode", [GRAPHS, {"jit_compile": True}, EAGERLY])
def test_one_step_of_a_linear_gan_by_hand(mode):
    model = compiled(FixedLatents(*toys.scalar_networks(), **WASSERSTEIN), **mode)
    history = model.fit(np.array([[1.0], [2.0]], "float32"), batch_size=2, verbose=0).history
    # G gives 2.5 and 6.5. d = mean D(fake) - mean D(real) = 3 * (4.5 - 1.5); its slope in a is 3, in b 0.
    # Then a = 3 - 0.3 = 2.7; g = -mean D(G(z)); slopes: in w -2.7 * mean z = -5.4, in c -2.7.
    assert history["d/adversarial"] == pytest.approx([9.0], abs=1e-5)
    assert history["d/gradient_norm"] == pytest.approx([3.0], abs=1e-5)
    assert history["g/adversarial"] == pytest.approx([-2.7 * 4.5], abs=1e-5)
    assert history["g/gradient_norm"] == pytest.approx([np.hypot(5.4, 2.7)], abs=1e-5)
    np.testing.assert_allclose(model.discriminator.get_weights()[0], [[2.7]], atol=1e-6)
    np.testing.assert_allclose(model.discriminator.get_weights()[1], [0.0], atol=1e-6)
    np.testing.assert_allclose(model.generator.get_weights()[0], [[2.54]], atol=1e-6)
    np.testing.assert_allclose(model.generator.get_weights()[1], [0.77], atol=1e-6)


def test_counts_of_updates():
    model = compiled(GAN(*toys.image_networks(), discriminator_steps=3), **GRAPHS)
    model.fit(toys.images(24), batch_size=12, verbose=0)
    assert int(model.step.numpy()) == 2
    assert int(model.optimizer.iterations.numpy()) == 2
    assert int(model.discriminator_optimizer.iterations.numpy()) == 6
    assert int(model.draws.numpy()) == 8  # 3 + 1 a step


def test_every_discriminator_step_sees_images_of_its_own():
    seen = []

    class Watching(GAN):
        def discriminator_step(self, real):
            seen.append(real["images"].numpy())
            return super().discriminator_step(real)

    model = compiled(Watching(*toys.image_networks(), discriminator_steps=2), run_eagerly=True)
    data = toys.images(8)
    model.fit(data, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_array_equal(np.concatenate(seen), data)


def test_generator_step_leaves_the_discriminator_alone_bit_for_bit():
    model = compiled(GAN(*toys.image_networks(batch_norm=True)))
    real = {"images": tf.constant(toys.images(4)), "labels": None}
    before = [w.copy() for w in model.discriminator.get_weights()]
    generator = [w.copy() for w in model.generator.get_weights()]
    model.generator_step(real)
    for old, new in zip(before, model.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(np.any(a != b) for a, b in zip(generator, model.generator.get_weights(), strict=True))
    assert not state_is_frozen()


def test_generator_step_moves_the_discriminators_statistics_if_asked_to():
    model = compiled(GAN(*toys.image_networks(batch_norm=True), freeze_discriminator_state=False))
    statistics = [v.numpy() for v in model.discriminator.non_trainable_variables]
    weights = [v.numpy() for v in model.discriminator.trainable_variables]
    model.generator_step({"images": tf.constant(toys.images(4)), "labels": None})
    after = [v.numpy() for v in model.discriminator.non_trainable_variables]
    assert all(np.any(a != b) for a, b in zip(statistics, after, strict=True))
    for old, new in zip(weights, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_joint_batch_is_chosen_where_it_makes_no_difference():
    assert GAN(*toys.image_networks(batch_norm=False)).joint_batch
    assert not GAN(*toys.image_networks(batch_norm=True)).joint_batch
    results = []
    for joint in (True, False):
        model = compiled(GAN(*toys.image_networks(batch_norm=False), joint_batch=joint))
        model.fit(toys.images(16), batch_size=8, shuffle=False, verbose=0)
        results.append(model.discriminator.get_weights())
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_average_by_hand():
    options = WASSERSTEIN | {"ema_decay": 0.75, "ema_ramp": "constant"}
    model = FixedLatents(*toys.scalar_networks(), **options)
    compiled(model)
    model.fit(np.array([[1.0], [2.0]], "float32"), batch_size=2, verbose=0)
    # w went from 2 to 2.54 (above): 0.75 * 2 + 0.25 * 2.54
    np.testing.assert_allclose(model.ema_generator.get_weights()[0], [[2.135]], atol=1e-6)
    late = FixedLatents(*toys.scalar_networks(), ema_start=1, **options)
    compiled(late)
    late.fit(np.array([[1.0], [2.0]], "float32"), batch_size=2, verbose=0)
    np.testing.assert_allclose(late.ema_generator.get_weights()[0], [[2.54]], atol=1e-6)


def test_average_can_copy_statistics_and_generate_uses_it():
    model = compiled(GAN(*toys.image_networks(), ema_decay=0.9, ema_statistics="copy"), rate=1.0)
    model.fit(toys.images(16), batch_size=8, verbose=0)
    pairs = zip(
        model.generator.non_trainable_variables, model.ema_generator.non_trainable_variables, strict=True
    )
    for new, copied in pairs:
        np.testing.assert_array_equal(new.numpy(), copied.numpy())
    latents = model.latents_at(0, 4)
    assert np.any(model.render(latents) != model.render(latents, weights="raw"))
    model.generator.set_weights(model.ema_generator.get_weights())
    np.testing.assert_array_equal(model.render(latents), model.render(latents, weights="raw"))


def test_training_without_an_average_is_the_same_training():
    states = []
    for decay in (0.0, 0.9):
        model = compiled(GAN(*toys.image_networks(), ema_decay=decay))
        model.fit(toys.images(16), batch_size=8, shuffle=False, verbose=0)
        states.append(model.generator.get_weights() + model.discriminator.get_weights())
    for one, two in zip(*states, strict=True):
        np.testing.assert_array_equal(one, two)


def test_conditional_needs_and_uses_labels():
    model = compiled(GAN(*toys.image_networks(num_classes=3), num_classes=3))
    with pytest.raises(ConfigError, match="no labels"):
        model.fit(toys.images(8), batch_size=8, verbose=0)
    labels = np.arange(8, dtype="int32") % 3
    model.fit(toys.images(8), labels, batch_size=8, verbose=0)
    assert model.generate(5, labels=[0, 2]).shape == (5, 8, 8, 1)
    with pytest.raises(ConfigError, match=r"labels are in \[0, 3\)"):
        model.generate(2, labels=[3])
    drawn = model.labels_at(0, 3000, None, 0)
    np.testing.assert_allclose(
        np.bincount(drawn) / 3000, [3 / 8, 3 / 8, 1 / 4], atol=0.04
    )  # the data's shares


def test_auxiliary_classifier_terms_are_weighted_by_name():
    features = keras.Input((1,), name="images")
    outputs = {
        "adversarial": keras.layers.Dense(1)(features),
        "class": keras.layers.Dense(2, kernel_initializer="zeros")(features),
    }
    discriminator = keras.Model(features, outputs)
    generator = toys.scalar_networks()[0]
    model = GAN(generator, discriminator, num_classes=2, fake_class_weight=0.5, generator_class_weight=2.0)
    batch = {"images": tf.ones((4, 1)), "labels": tf.zeros((4,), tf.int32)}
    terms = model.discriminator_losses(batch, batch) | model.generator_losses(batch, batch)
    # All class logits are 0: the cross-entropy of two classes is log 2.
    assert float(terms["d/class_real"]) == pytest.approx(np.log(2), abs=1e-6)
    assert float(terms["d/class_fake"]) == pytest.approx(0.5 * np.log(2), abs=1e-6)
    assert float(terms["g/class"]) == pytest.approx(2 * np.log(2), abs=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"discriminator_steps": 0}, "discriminator_steps"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"generator_batch_ratio": 1.5}, "generator_batch_ratio"),
        ({"ema_start": -1}, "ema_start"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        GAN(*toys.image_networks(), **options)


def test_networks_that_do_not_fit_are_refused():
    generator, _ = toys.scalar_networks()
    _, discriminator = toys.image_networks()
    with pytest.raises(ConfigError, match="does not take the generator's output"):
        GAN(generator, discriminator)


def test_data_of_another_shape_is_refused():
    model = compiled(GAN(*toys.image_networks()))
    with pytest.raises(ConfigError, match=r"items are \(4, 4, 1\), the generator makes \(8, 8, 1\)"):
        model.fit(np.zeros((4, 4, 4, 1), "float32"), verbose=0)


def test_uint8_images_and_datasets_train_like_floats():
    data = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype("uint8")
    states = []
    for given in (data, data.astype("float32") / 127.5 - 1):
        model = compiled(GAN(*toys.image_networks()))
        model.fit(tf.data.Dataset.from_tensor_slices(given).batch(8), verbose=0)
        states.append(model.generator.get_weights())
    for one, two in zip(*states, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_the_data_is_not_touched_before_training_and_ends_the_epoch():
    pulled = []

    def source():
        for i in range(5):
            pulled.append(i)
            yield toys.images(4, seed=i)

    data = tf.data.Dataset.from_generator(source, output_signature=tf.TensorSpec((4, 8, 8, 1)))
    model = compiled(GAN(*toys.image_networks()), steps_per_execution=2)
    model.fit(data, verbose=0)
    assert pulled == list(range(5))
    assert int(model.step.numpy()) == 5  # two executions of two steps, and the one that was left


@pytest.mark.slow
def test_steps_per_execution_changes_nothing_but_how_often_callbacks_look():
    states, calls = [], []

    class Counting(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            calls[-1] += 1

    for steps in (1, 4):
        calls.append(0)
        model = compiled(GAN(*toys.image_networks()), steps_per_execution=steps)
        model.fit(toys.images(64), batch_size=8, shuffle=False, verbose=0, callbacks=[Counting()])
        states.append(toys.values(model))
    assert calls == [8, 2]
    toys.assert_same(*states)


def test_stock_callbacks_work(tmp_path):
    model = compiled(GAN(*toys.image_networks()), **GRAPHS)
    weights = tmp_path / "epoch{epoch}.weights.h5"
    callbacks = [
        keras.callbacks.ModelCheckpoint(str(weights), save_weights_only=True),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.TensorBoard(str(tmp_path / "tb")),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
    ]
    model.fit(toys.images(16), batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
    assert (tmp_path / "epoch2.weights.h5").exists()
    assert "g/adversarial" in (tmp_path / "log.csv").read_text()
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)


def test_mixed_precision_trains_float32_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = compiled(GAN(*toys.image_networks(), ema_decay=0.5))
    history = model.fit(toys.images(16), batch_size=8, verbose=0).history
    assert all(np.isfinite(v).all() for v in history.values())
    assert {v.dtype for v in model.generator.trainable_variables} == {"float32"}
    assert model.generator.layers[-1].compute_dtype == "bfloat16"
    assert model.generate(3).dtype == np.uint8


@pytest.mark.slow
@pytest.mark.parametrize("cls", [GAN, compose(GradientPenaltyGAN, R1GAN)])
def test_xla_gives_the_numbers_of_eager_steps(cls):
    logs = []
    for jit in (False, True):
        networks = toys.image_networks(batch_norm=cls is GAN)
        model = compiled(cls(*networks), rate=0.01, jit_compile=jit, run_eagerly=not jit)
        logs.append(model.fit(toys.images(32), batch_size=8, shuffle=False, verbose=0).history)
        assert bool(model._xla_functions) == jit
    for name in logs[0]:
        np.testing.assert_allclose(logs[0][name], logs[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_nothing_is_drawn_inside_xla():
    class Drawing(GAN):
        def discriminator_losses(self, real, fake):
            self.random_uniform(4, (1,), "mix")
            return super().discriminator_losses(real, fake)

    model = compiled(Drawing(*toys.image_networks()), jit_compile=True)
    with pytest.raises(RuntimeError, match="'mix' is drawn inside"):
        model.fit(toys.images(8), batch_size=8, verbose=0)


def test_a_loss_that_does_not_fit_is_refused_at_once():
    networks = toys.scalar_networks()
    with pytest.raises(
        ConfigError, match=r"GAN.discriminator_loss cannot .* \(2, 1\), \(2, 1\): .*positional"
    ):
        GAN(*networks, discriminator_loss=losses.hinge_generator)
    with pytest.raises(ConfigError, match=r"GAN.generator_loss cannot be called .* \(2, 1\): .*fake_logits"):
        GAN(*networks, generator_loss=losses.hinge_discriminator)


@pytest.mark.parametrize(
    "loss, found",
    [
        (lambda fake: -fake, r"float32 \(2, 1\)"),
        (lambda fake: tf.reduce_mean(-fake, 0), r"float32 \(1,\)"),
        (lambda fake: tf.reduce_sum(tf.cast(fake > 0, tf.int32)), r"int32 \(\)"),
        (lambda fake: None, "NoneType"),
        (lambda fake: 0.0, "float"),
    ],
)
def test_a_loss_that_is_no_mean_is_refused_at_once(loss, found):
    with pytest.raises(
        ConfigError, match=f"^GAN.generator_loss gives a scalar tensor, .* Received: {found}$"
    ):
        GAN(*toys.scalar_networks(), generator_loss=loss)
    with pytest.raises(ConfigError, match="^GAN.discriminator_loss gives a scalar tensor"):
        GAN(*toys.scalar_networks(), discriminator_loss=lambda real, fake: loss(fake))


PRECISE = [
    (GradientPenaltyGAN, {}, {"d/gradient_penalty": 10.0 * (3.0 - 1.0) ** 2}),
    (R3GAN, {}, {"d/real_slope": 0.5 * 3.0**2, "d/fake_slope": 0.5 * 3.0**2}),
    (OrthogonalGAN, {}, {"g/orthogonal": 0.0}),
    (RGGAN, {}, {}),
]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "float64"])
@pytest.mark.parametrize("cls, options, terms", PRECISE, ids=lambda value: getattr(value, "__name__", ""))
def test_terms_of_several_precisions_are_summed(cls, options, terms, policy):
    """Of layers in a precision of their own, G(z) = 2 z + 0.5 and D(x) = 3 x, with images in float32."""
    pair = [
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, dtype=policy)], name=name)
        for name in ("generator", "discriminator")
    ]
    for network, weights in zip(pair, toys.scalar_networks(), strict=True):
        network.set_weights(weights.get_weights())
    model = compiled(cls(*pair, **options), rate=0.0)
    logs = model.train_on_batch(np.array([[1.0], [2.0]], "float32"), return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    assert {name: logs[name] for name in terms} == pytest.approx(terms, rel=0.01)
