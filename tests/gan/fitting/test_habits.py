"""What Keras's users try on any model works on a GAN, or says in one line what to do instead."""

import copy

import h5py
import keras
import numpy as np
import pytest
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import ADAGAN, APAGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.tickets import TicketGAN

CALLBACKS = keras.callbacks
POINTS = np.linspace(-1, 1, 12)[:, None]
X = POINTS[:4]
WATCHING = {"monitor": "d/adversarial", "mode": "min"}


def make(cls=GAN, networks=toys.scalar_networks, compiled=None, **options):
    model = cls(*networks(), **options)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.4), run_eagerly=True, **compiled or {})
    return model


def small_images():
    return toys.image_networks(batch_norm=False)


def fit(model, *callbacks, epochs=3, **options):
    return model.fit(X, batch_size=4, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)


@pytest.fixture(scope="module")
def model():
    return make()


REFUSED = {
    "evaluate": (lambda m, p: m.evaluate(X), "tfgans.Evaluator"),
    "test_on_batch": (lambda m, p: m.test_on_batch(X), "tfgans.Evaluator"),
    "validation_data": (lambda m, p: m.fit(X, validation_data=X), "tfgans.Evaluator"),
    "validation_split": (lambda m, p: m.fit(X, validation_split=0.1), "tfgans.Evaluator"),
    "save": (lambda m, p: m.save(p / "m.keras"), r"gan.save_generator\(path\).*gan.save_weights\(path\)"),
    "get_config": (lambda m, p: m.get_config(), "build its networks and GAN.* load_weights"),
    "to_json": (lambda m, p: m.to_json(), "build its networks"),
    "from_config": (lambda m, p: GAN.from_config({}), "build its networks"),
    "clone_model": (lambda m, p: keras.models.clone_model(m), "build its networks"),
    "deepcopy": (lambda m, p: copy.deepcopy(m), "build its networks"),
    "ModelCheckpoint": (lambda m, p: fit(m, CALLBACKS.ModelCheckpoint(p / "m.keras")), "save_weights_only=True"),
    "ModelCheckpoint of the best": (
        lambda m, p: fit(
            m, CALLBACKS.ModelCheckpoint(p / "m.weights.h5", save_weights_only=True, save_best_only=True)
        ),
        "watches 'val_loss'",
    ),
    "EarlyStopping on val_loss": (lambda m, p: fit(m, CALLBACKS.EarlyStopping()), "'val_loss'.*'d/adversarial'"),
    "EarlyStopping on loss": (lambda m, p: fit(m, CALLBACKS.EarlyStopping("loss")), "watches 'loss'"),
    "EarlyStopping which way": (
        lambda m, p: fit(m, CALLBACKS.EarlyStopping("d/adversarial")),
        "Give mode='max' or mode='min'",
    ),
    "ReduceLROnPlateau on val_loss": (lambda m, p: fit(m, CALLBACKS.ReduceLROnPlateau()), "'val_loss'"),
    "TerminateOnNaN": (lambda m, p: fit(m, CALLBACKS.TerminateOnNaN()), "StopWhenDiverged"),
    "SwapEMAWeights": (lambda m, p: fit(m, CALLBACKS.SwapEMAWeights()), "GAN.ema_decay"),
    "a list of rates": (
        lambda m, p: m.fit(X, callbacks=CALLBACKS.CallbackList([CALLBACKS.LearningRateScheduler(min)])),
        "in a list",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_gan_has_no_answer_to_is_refused_before_any_work(name, model, tmp_path):
    act, message = REFUSED[name]
    before = int(model.step.numpy())
    with pytest.raises(ConfigError, match=message) as error:
        act(model, tmp_path)
    assert "\n" not in str(error.value)
    assert int(model.step.numpy()) == before and not list(tmp_path.iterdir())


def stops_early(tmp_path):
    stop = CALLBACKS.EarlyStopping(**WATCHING, patience=0, min_delta=1e9, restore_best_weights=True)
    model = make()
    best = []
    keep = CALLBACKS.LambdaCallback(
        on_epoch_end=lambda epoch, logs: best.append([w.copy() for w in model.get_weights()])
    )
    assert fit(model, keep, stop, epochs=9).epoch == [0, 1]
    for kept, restored in zip(best[0], model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, restored)


def schedules_both_rates(tmp_path):
    history = fit(make(), CALLBACKS.LearningRateScheduler(lambda epoch, rate: rate / 2)).history
    assert history["learning_rate"] == pytest.approx([0.05, 0.025, 0.0125])
    assert history["discriminator_learning_rate"] == pytest.approx([0.2, 0.1, 0.05])
    by_epoch = fit(make(), CALLBACKS.LearningRateScheduler(lambda epoch: 0.3 + 0.1 * epoch), epochs=2).history
    assert by_epoch["discriminator_learning_rate"] == pytest.approx([0.3, 0.4])


def reduces_both_rates(tmp_path):
    plateau = CALLBACKS.ReduceLROnPlateau(**WATCHING, patience=1, factor=0.1, min_delta=1e9, min_lr=0.02)
    history = fit(make(), plateau, epochs=4).history
    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.02, 0.02])
    assert history["discriminator_learning_rate"] == pytest.approx([0.4, 0.4, 0.04, 0.02])


def refuses_rates_that_would_not_last(tmp_path):
    scheduler = CALLBACKS.LearningRateScheduler(lambda epoch, rate: rate / 2)
    with pytest.raises(ConfigError, match="LearningRateScheduler would have no effect"):
        fit(make(compiled={"learning_rate_schedule": lambda step: 1.0}), scheduler)
    model = make()
    falling = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(falling))
    with pytest.raises(ConfigError, match="the discriminator's optimizer has a schedule of its own"):
        fit(model, scheduler)


def checkpoints_weights(tmp_path):
    path = str(tmp_path / "{epoch}.weights.h5")
    model = make(ema_decay=0.9)
    fit(model, CALLBACKS.ModelCheckpoint(path, save_weights_only=True))
    other = make(ema_decay=0.9)
    other.load_weights(tmp_path / "3.weights.h5")
    toys.assert_same(toys.values(other), toys.values(model))
    best = CALLBACKS.ModelCheckpoint(
        str(tmp_path / "best.weights.h5"), save_weights_only=True, save_best_only=True, **WATCHING
    )
    fit(model, best, epochs=1)
    assert (tmp_path / "best.weights.h5").exists()


def backs_up_and_goes_on_bit_for_bit(tmp_path):
    class Killed(CALLBACKS.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def train(model, *callbacks):
        return model.fit(POINTS, batch_size=4, epochs=4, verbose=0, callbacks=list(callbacks))

    whole, first, second = make(), make(), make()
    second.set_weights([w + 1 for w in second.get_weights()])
    train(whole)
    with pytest.raises(InterruptedError):
        train(first, CALLBACKS.BackupAndRestore(tmp_path / "backup"), Killed())
    assert train(second, CALLBACKS.BackupAndRestore(tmp_path / "backup")).epoch == [2, 3]
    toys.assert_same(toys.values(second), toys.values(whole))


def logs_to_files(tmp_path):
    fit(make(), CALLBACKS.CSVLogger(tmp_path / "log.csv"), CALLBACKS.TensorBoard(tmp_path / "tb"), epochs=1)
    assert "g/adversarial" in (tmp_path / "log.csv").read_text() and list((tmp_path / "tb").iterdir())
    logger = CALLBACKS.CallbackList([CALLBACKS.CSVLogger(tmp_path / "list.csv")])
    make().fit(X, verbose=0, callbacks=logger)
    assert (tmp_path / "list.csv").exists()


def predicts_and_describes_itself(tmp_path):
    model, latents = make(ema_decay=0.5), np.linspace(-2, 2, 5, dtype="float32")[:, None]
    fit(model, epochs=1)
    expected = model.generator(latents)
    np.testing.assert_allclose(model.predict(latents, batch_size=2, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(model(latents), expected, atol=1e-6)
    assert np.any(np.abs(model.predict(latents, verbose=0) - model.ema_generator(latents)) > 1e-4)
    assert model.compute_output_shape((None, 1)) == (None, 1)
    lines = []
    model.summary(print_fn=lambda line, **kwargs: lines.append(line))
    assert "generator" in "".join(lines) and "discriminator" in "".join(lines)
    classes = GAN(*toys.image_networks(num_classes=3, batch_norm=False), num_classes=3)
    latents = np.zeros((5, 4), "float32")
    assert classes.predict([latents, np.arange(5) % 3], verbose=0).shape == (5, 8, 8, 1)
    assert classes.compute_output_shape([(7, 4), (7,)]) == (7, 8, 8, 1)
    assert classes.generate(2).shape == (2, 8, 8, 1)  # before compile


WORKS = [
    stops_early,
    schedules_both_rates,
    reduces_both_rates,
    refuses_rates_that_would_not_last,
    checkpoints_weights,
    backs_up_and_goes_on_bit_for_bit,
    logs_to_files,
    predicts_and_describes_itself,
]


@pytest.mark.parametrize("act", WORKS, ids=lambda act: act.__name__)
def test_what_keras_users_do(act, tmp_path):
    act(tmp_path)


METHODS = [
    (ADAGAN, {"ada_speed": 0.05}),
    (APAGAN, {"apa_speed": 0.05, "pseudo_batch_size": 4}),
    (AdvAsGAN, {}),
    (FastGAN, {"perturbation_radius": 0.1, "perturbation_batch_size": 4}),
    (ReGAN, {"sparsity": 0.5}),
    (TicketGAN, {"ticket_rounds": 2}),
]


@pytest.mark.parametrize("cls, options", METHODS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_file_of_weights_holds_all_that_a_method_keeps(cls, options, tmp_path):
    model = make(cls, small_images, **options)
    random = np.random.default_rng(0)
    for variable in model.variables + [v for o in model.optimizers().values() for v in o.variables]:
        low = (
            random.integers(0, 2, variable.shape)
            if variable.dtype == "bool"
            else random.integers(1, 9, variable.shape)
        )
        variable.assign(low.astype(variable.dtype))
    model.save_weights(tmp_path / "all.weights.h5")
    other = make(cls, small_images, **options)
    other.load_weights(tmp_path / "all.weights.h5")
    toys.assert_same(toys.values(other), toys.values(model))


def test_a_file_of_weights_goes_on_with_the_same_dropout(tmp_path):
    """Masks drawn after a resume are those of an unbroken run; files of earlier versions hold no seeds."""

    def points(seed):
        generator, discriminator = toys.scalar_networks()
        keras.utils.set_random_seed(seed)
        drop = [keras.layers.Dropout(0.5), keras.layers.GaussianNoise(0.5)]
        discriminator = keras.Sequential([keras.Input((1,)), *drop, *discriminator.layers])
        model = GAN(generator, discriminator)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        return model

    model, path = points(1), tmp_path / "all.weights.h5"
    fit(model)
    model.save_weights(path)
    fit(model)
    other = points(2)
    other.load_weights(path)
    fit(other)
    toys.assert_same(toys.values(other), toys.values(model))
    with h5py.File(path, "r+") as file:
        assert [file["vars"].pop(name).shape for name in ("seed0", "seed1")] == [(2,), (2,)]
    points(3).load_weights(path)


@pytest.mark.parametrize(
    "cls, options, name",
    [
        (APAGAN, {"apa_speed": 0.05}, "APAGAN.pseudo_batch_size"),
        (FastGAN, {"perturbation_radius": 0.1}, "FastGAN.perturbation_batch_size"),
    ],
)
def test_weights_of_places_need_the_size_of_the_batch(cls, options, name, tmp_path):
    model = make(cls, small_images, **options)
    model.expect_batch(4)
    model.save_weights(tmp_path / "all.weights.h5")
    other = make(cls, small_images, **options)
    with pytest.raises(ConfigError, match=f"^{name} is not set: it is the images of a discriminator step$"):
        other.load_weights(tmp_path / "all.weights.h5")
    other.expect_batch(4)
    other.load_weights(tmp_path / "all.weights.h5")
