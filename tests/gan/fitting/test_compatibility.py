"""Networks and optimizers that cannot be a GAN's are refused when it is built or compiled, in one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from keras import layers

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods.adapt.model import AdaptGAN
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.freezed import FreezeDGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.rggan.model import RGGAN
from tfgans.methods.tickets import TicketGAN

OPTIMIZERS = keras.optimizers


def generator(*last, shape=(8, 8, 1), activation="tanh", **options):
    size = shape[0] * shape[1] * shape[2]
    first = [keras.Input((4,)), layers.Dense(size, activation=activation, **options), layers.Reshape(shape)]
    return keras.Sequential([*first, *last], name="generator")


def discriminator(units=1, **options):
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(units, **options)], name="discriminator"
    )


def with_classes(count):
    base = discriminator()
    heads = {"adversarial": base.outputs[0], "class": layers.Dense(count)(layers.Flatten()(base.inputs[0]))}
    return keras.Model(base.inputs, heads, name="discriminator")


def sharing():
    shared, latents, images = layers.Dense(16, name="shared"), keras.Input((16,)), keras.Input((4, 4, 1))
    return (
        keras.Model(latents, layers.Reshape((4, 4, 1))(shared(latents)), name="generator"),
        keras.Model(images, layers.Dense(1)(shared(layers.Flatten()(images))), name="discriminator"),
    )


def renamed_output():
    base = discriminator()
    return keras.Model(base.inputs, {"logits": base.outputs[0]}, name="discriminator")


def two_outputs():
    base = generator()
    return keras.Model(base.inputs, [base.outputs[0], base.outputs[0]], name="generator")


def convolving():
    parts = [layers.Conv2D(6, 3), layers.Flatten(), layers.Dense(1)]  # six: of three channels, two each
    return keras.Sequential([keras.Input((8, 8, 1)), *parts], name="critic")


def along_the_batch(function):
    base = discriminator()
    return keras.Model(base.inputs, function(base.outputs[0]), name="critic")


def unsaid():
    return keras.Sequential([layers.Lambda(lambda x: np.asarray(x))], name="generator")


def in_halves():
    latents = keras.Input((4,))
    images = keras.ops.reshape(layers.Dense(128)(latents), (-1, 8, 8, 1))
    return keras.Model(latents, images, name="generator")


class Subclassed(keras.Model):
    """A generator without labels."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(64, activation="tanh")

    def call(self, latents):
        return keras.ops.reshape(self.inner(latents), (-1, 8, 8, 1))


def test_losses_of_labels_and_predictions_are_refused():
    """Keras's would take the real logits for labels."""
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    message = (
        "^GAN.discriminator_loss takes logits of real and fake images, BinaryCrossentropy of Keras's labels"
    )
    with pytest.raises(ConfigError, match=message):
        GAN(generator(), discriminator(), discriminator_loss=loss)


BOTH = generator()
NETWORKS = {
    "one for both": (lambda: (BOTH, BOTH), {}, "are one network, generator"),
    "a function": (
        lambda: (len, discriminator()),
        {"latent_dim": 4},
        "GAN.generator is a Keras model. Received: len",
    ),
    "a function without a size": (
        lambda: (len, discriminator()),
        {},
        "GAN.generator is a Keras model. Received: len",
    ),
    "a class for a generator": (
        lambda: (keras.Sequential, discriminator()),
        {},
        "GAN.generator is a Keras model. Received: Sequential",
    ),
    "other channels, which Keras lets through": (
        lambda: (generator(shape=(8, 8, 3)), convolving()),
        {},
        r"^critic takes images \(8, 8, 1\), the generator makes \(8, 8, 3\)$",
    ),
    "one logit of all images": (
        lambda: (generator(), along_the_batch(lambda x: keras.ops.mean(x, 0, keepdims=True))),
        {},
        r"^critic gives logits \[N, 1\] of N images. Received: \(1, 1\) of 2$",
    ),
    "two logits an image": (
        lambda: (generator(), along_the_batch(lambda x: keras.ops.concatenate([x, x], 0))),
        {},
        r"Received: \(4, 1\) of 2$",
    ),
    "a shape that Keras cannot infer": (
        lambda: (unsaid(), discriminator()),
        {"latent_dim": 4},
        "^the generator does not take latents: We could not automatically infer the shape of the Lambda's output",
    ),
    "two images a latent": (
        lambda: (in_halves(), discriminator()),
        {},
        "^generator gives an image for each latent. Received: 4 of 2 latents$",
    ),
    "a class": (
        lambda: (generator(), keras.Sequential),
        {},
        "GAN.discriminator is a Keras model. Received: Sequential",
    ),
    "a weight in common": (sharing, {}, "share the weight shared/"),
    "latents of another size": (
        lambda: (generator(), discriminator()),
        {"latent_dim": 7},
        r"latent_dim is 7, .* shape \(None, 4\)",
    ),
    "latents of no size": (
        lambda: (generator(), discriminator()),
        {"latent_dim": 0},
        "latent_dim is an integer of at least 1",
    ),
    "the wrong way round": (lambda: (discriminator(), generator()), {}, r"first input of discriminator"),
    "several outputs": (lambda: (two_outputs(), discriminator()), {}, r"gives images \[N, H, W, C\] .* list"),
    "images of another size": (
        lambda: (generator(shape=(4, 4, 1)), discriminator()),
        {},
        r"does not take the generator's output \(4, 4, 1\): Input 0 .* incompatible",
    ),
    "ten logits": (lambda: (generator(), discriminator(10)), {}, r"logits \[N, 1\]. Received: \(2, 10\)"),
    "labels for a class of one's own": (
        lambda: (Subclassed(), with_classes(3)),
        {"num_classes": 3, "latent_dim": 4},
        r"does not take latents and labels \(set its attribute conditional to False .*\): .*expect.* 1 input",
    ),
    "no adversarial output": (
        lambda: (generator(), renamed_output()),
        {},
        r"has 'adversarial'. .*\['logits'\]",
    ),
    "other classes": (
        lambda: (generator(), with_classes(4)),
        {"num_classes": 3},
        "tells 4 classes apart, GAN.num_classes is 3",
    ),
    "classes unsaid": (lambda: (generator(), with_classes(4)), {}, "GAN.num_classes is None"),
    "classes unused": (
        lambda: (generator(), discriminator()),
        {"num_classes": 3},
        "num_classes is 3, but neither network",
    ),
    "a sigmoid": (lambda: (generator(activation="sigmoid"), discriminator()), {}, "ends in sigmoid, .*tanh"),
    "a last layer of positive values": (
        lambda: (generator(layers.ReLU()), discriminator()),
        {},
        "generator ends in relu",
    ),
    "a layer in float16": (
        lambda: (generator(dtype="mixed_float16"), discriminator()),
        {},
        "of generator computes in float16",
    ),
    "a discriminator in float16": (
        lambda: (generator(), discriminator(dtype="float16")),
        {},
        "of discriminator computes in float16, which needs loss scaling: take mixed_bfloat16",
    ),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_networks_that_do_not_fit_are_refused_in_one_line(case):
    make, options, message = NETWORKS[case]
    with pytest.raises(ConfigError, match=message) as error:
        GAN(*make(), **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("activation", [None, "tanh", "linear"])
def test_a_generator_may_end_in_anything_that_reaches_below_0(activation, recwarn):
    GAN(generator(activation=activation), discriminator())
    assert not [w for w in recwarn if "ends in" in str(w.message)]


def test_a_discriminator_that_ends_in_a_sigmoid_is_said_to():
    with pytest.warns(UserWarning, match="discriminator ends in sigmoid: the losses of tfgans take logits"):
        GAN(generator(), discriminator(activation="sigmoid"))


def test_float16_is_refused_whichever_way_it_comes():
    keras.config.set_dtype_policy("mixed_float16")
    with pytest.raises(ConfigError, match="^generator computes in float16"):
        GAN(generator(), discriminator())
    keras.config.set_dtype_policy("float32")
    networks = generator(), discriminator()
    keras.config.set_dtype_policy("mixed_float16")  # of the model alone, which Keras would then scale
    with pytest.raises(ConfigError, match="^gan.* computes in float16"):
        GAN(*networks)
    keras.config.set_dtype_policy("float32")
    model = GAN(*networks)
    networks[1].layers[-1].dtype_policy = "mixed_float16"
    with pytest.raises(ConfigError, match="of discriminator computes in float16"):
        model.compile("sgd", "sgd")
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = GAN(generator(), discriminator())
    model.compile("sgd", "sgd")
    assert isinstance(model.optimizer, OPTIMIZERS.SGD)


TAKEN = OPTIMIZERS.SGD(0.1)
REFUSED = {
    "one for both": (lambda: (TAKEN, TAKEN), "each needs one of its own"),
    "none": (lambda: (None, "sgd"), "compile: optimizer is an optimizer or the name of one. Received: None"),
    "a class": (lambda: ("sgd", OPTIMIZERS.Adam), "discriminator_optimizer is .* Received: Adam"),
    "an unknown name": (lambda: ("adamm", "sgd"), "compile: optimizer: Could not interpret .*adamm"),
    "another dictionary": (
        lambda: ({"generator": "sgd"}, "sgd"),
        "optimizer is no configuration .* 'class_name'",
    ),
    "a number": (lambda: (1e-3, "sgd"), "compile: optimizer: .*0.001"),
    "loss scaling": (
        lambda: (OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.SGD()), "sgd"),
        "optimizer scales gradients down",
    ),
    "loss scaling of the other": (
        lambda: ("sgd", OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.SGD())),
        "discriminator_optimizer scales gradients down",
    ),
    "a fixed loss scale": (lambda: (OPTIMIZERS.SGD(loss_scale_factor=8.0), "sgd"), "scales gradients down"),
    "an average": (lambda: ("sgd", OPTIMIZERS.SGD(use_ema=True)), "has use_ema: GAN.ema_decay averages"),
}


@pytest.fixture(scope="module")
def model():
    return GAN(generator(), discriminator())


@pytest.mark.parametrize("case", REFUSED)
def test_optimizers_that_cannot_be_are_refused_in_one_line(case, model):
    make, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message) as error:
        model.compile(*make())
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=message):  # which looks at them, too
        ReGAN(model.generator, model.discriminator).compile(*make())


@pytest.mark.parametrize("steps", [0, -2, 1.5, "auto"])
def test_steps_of_an_execution_are_counted(steps, model):
    with pytest.raises(
        ConfigError, match="^compile: steps_per_execution is an integer of at least 1. Received"
    ):
        model.compile("sgd", "sgd", steps_per_execution=steps)


def test_optimizers_belong_to_one_model(model):
    model.compile("sgd", OPTIMIZERS.serialize(OPTIMIZERS.Adam()))
    model.compile(model.optimizer, model.discriminator_optimizer)  # once more: the same weights
    other = GAN(generator(), discriminator())
    with pytest.raises(ConfigError, match="the optimizer of discriminator belongs to another model"):
        other.compile("sgd", model.discriminator_optimizer)
    with pytest.raises(ConfigError, match="the optimizer of generator belongs to another model"):
        model.compile(model.discriminator_optimizer, model.optimizer)


@pytest.mark.parametrize("trains", [False, True])
def test_an_optimizer_is_for_the_weights_that_train(trains):
    networks = generator(), discriminator()
    networks[1].layers[-1].trainable = not trains
    model = GAN(*networks)
    model.compile("sgd", "sgd")
    networks[1].layers[-1].trainable = trains
    with pytest.raises(
        ConfigError, match="other weights of discriminator train than those .*: give a new one$"
    ):
        model.compile(model.optimizer, model.discriminator_optimizer)
    model.compile(model.optimizer, "sgd")


KEEPING = [
    (ReGAN, {}, {"sparsity": 0.0}),
    (RGGAN, {}, {"threshold_weight": 0.0}),
    (AdaptGAN, {}, {"generator_density": 1.0, "discriminator_density": 1.0}),
    (TicketGAN, {"ticket_rounds": 1}, {"ticket_rounds": 0}),
    (FreezeDGAN, {"frozen_layers": 1}, {"frozen_layers": 0}),
]


@pytest.mark.parametrize("cls, on, off", KEEPING, ids=lambda value: getattr(value, "__name__", ""))
def test_layers_are_frozen_before_something_is_kept_for_each_weight(cls, on, off):
    def freeze_late(options):
        networks = toys.image_networks(batch_norm=False)
        model = cls(*networks, **options)
        for network in networks:
            next(layer for layer in network.layers if layer.trainable_variables).trainable = False
        model.compile("sgd", "sgd")

    with pytest.raises(
        ConfigError, match=f"^{cls.__name__}.*: other weights of .* train than when .*: set trainable"
    ):
        freeze_late(on)
    freeze_late(off)


def test_schedules_of_optimizers_count_their_own_updates():
    model = GAN(*toys.scalar_networks(), discriminator_steps=2)
    rates = OPTIMIZERS.schedules.ExponentialDecay(1.0, 1, 0.5)
    model.compile(OPTIMIZERS.SGD(rates), OPTIMIZERS.SGD(rates), run_eagerly=True)
    model.fit([[1.0], [2.0], [3.0], [4.0]], batch_size=2, verbose=0)
    assert float(model.optimizer.learning_rate) == 0.25
    assert float(model.discriminator_optimizer.learning_rate) == 0.0625


def test_a_schedule_goes_on_where_a_model_is_compiled_again():
    model, both = GAN(*toys.scalar_networks()), (OPTIMIZERS.SGD(0.1), OPTIMIZERS.SGD(0.4))
    halved = {"learning_rate_schedule": lambda step: 0.5 ** tf.cast(step, tf.float32), "run_eagerly": True}
    for _ in range(3):
        model.compile(*both, **halved)
        model.train_on_batch([[1.0], [2.0]])
    assert [float(o.learning_rate) for o in both] == pytest.approx([0.025, 0.1])  # a quarter in step 2
    both[0].learning_rate = 0.3
    model.compile(both[0], OPTIMIZERS.SGD(1.0), **halved)  # the schedule would set the first one's anew
    assert model.initial_rates == pytest.approx({"generator": 0.1, "discriminator": 1.0})
    model.compile(*model.optimizers().values(), run_eagerly=True)
    both[0].learning_rate = 0.3
    model.compile(*model.optimizers().values(), **halved)
    assert model.initial_rates["generator"] == pytest.approx(0.3)


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_what_trains_stays_as_it_was_when_the_model_was_compiled(frozen):
    """Frozen after a first fit, whose step would go on moving it; and before one, by a method that keeps places."""
    images, message = (
        np.zeros((4, 8, 8, 1), "float32"),
        f"^other weights of {frozen} train than when .* compiled",
    )
    for cls, options in ((GAN, {}), (ReGAN, {"sparsity": 0.5, "warm_up_length": 0, "sparse_length": 1})):
        model = cls(generator(), discriminator(), **options)
        model.compile("sgd", "sgd")
        if cls is GAN:
            model.fit(images, verbose=0)
        getattr(model, frozen).layers[-2 if frozen == "generator" else -1].trainable = False
        for train in (model.fit, model.train_on_batch):
            with pytest.raises(ConfigError, match=message):
                train(images)
        assert int(model.step.numpy()) == (cls is GAN)


def test_advas_needs_a_discriminator_that_trains():
    critic = discriminator()
    critic.trainable = False
    with pytest.raises(
        ConfigError, match="^AdvAsGAN needs weights that train in discriminator: it has none$"
    ):
        AdvAsGAN(generator(), critic).compile("sgd", "sgd")
    AdvAsGAN(generator(), critic, advas_weight=0.0).compile("sgd", "sgd")
