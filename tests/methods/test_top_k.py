"""Top-k training by hand: how many fakes are left, which, and what the generator learns from them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from replicas import assert_replicas_agree

from tfgans import losses
from tfgans.gan import GAN
from tfgans.methods.top_k import TopKGAN, ranks


def fakes(logits):
    return {"outputs": {"adversarial": tf.constant(logits)[:, None]}, "labels": None}


@pytest.mark.parametrize(
    ("step", "total", "k"),
    # 0.99^1 and 0.99^2 of 64 are 63.36 and 62.7; 0.99^69 is the first below 0.5
    [(0, 64, 64), (9, 64, 64), (10, 64, 63), (20, 64, 62), (690, 64, 32), (10**6, 5, 2), (10**6, 1, 1)],
)
def test_how_many_are_left(step, total, k):
    model = TopKGAN(*toys.scalar_networks(), top_k_interval=10)
    model.step.assign(step)
    assert int(model.top_k(total)) == k
    other = TopKGAN(*toys.scalar_networks(), top_k_interval=1, top_k_floor=0.7)
    other.step.assign(10**6)
    assert int(other.top_k(10)) == 7  # 0.7 in float32 is less


def test_the_loss_is_that_of_the_best_and_so_is_its_slope():
    """Half of four: the largest logits are 2 and 0.5."""
    model = TopKGAN(*toys.scalar_networks(), top_k_decay=0.5, top_k_floor=0.25, top_k_interval=1)
    model.step.assign(1)
    logits = tf.constant([[-1.0], [2.0], [0.25], [0.5]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        fake = {"outputs": {"adversarial": logits}, "images": logits, "labels": None}
        loss = model.generator_losses(None, fake)["g/adversarial"]
    best = np.array([2.0, 0.5])
    assert float(loss) == pytest.approx(np.log1p(np.exp(-best)).mean(), rel=1e-6)
    slopes = -0.5 / (1.0 + np.exp(best))
    np.testing.assert_allclose(tape.gradient(loss, logits)[:, 0], [0.0, slopes[0], 0.0, slopes[1]], rtol=1e-5)
    assert float(model.generator_measures(None, fake)["g/top_k_share"]) == 0.5


def test_all_are_the_base_loss_and_class_terms_are_those_of_all():
    terms = []
    for method in (GAN, TopKGAN):
        model = method(*toys.classifier_networks(), num_classes=3)
        fake = model.sample(6)
        if method is TopKGAN:
            first = model.generator_losses(None, fake)
            model.step.assign(10**6)
        terms.append(model.generator_losses(None, fake))
    base, best = terms
    assert float(first["g/adversarial"]) == pytest.approx(float(base["g/adversarial"]), rel=1e-6)
    assert float(best["g/class"]) == float(base["g/class"])
    assert float(best["g/adversarial"]) < float(base["g/adversarial"])


def test_pairs_are_ranked_by_their_loss():
    model = TopKGAN(
        *toys.scalar_networks(),
        top_k_decay=0.5,
        top_k_interval=1,
        generator_loss=losses.relativistic_generator,
    )
    model.step.assign(1)
    real, fake = fakes([5.0, 0.0]), fakes([4.0, 1.0])  # differences 1 and -1
    loss = model.generator_losses(real, fake | {"images": tf.zeros((2, 1))})["g/adversarial"]
    assert float(loss) == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-6)


def test_equal_ones_keep_their_order():
    values = tf.constant([2.0, 1.0, 1.0, 3.0, 1.0])
    np.testing.assert_array_equal(ranks(values, tf.range(5)), [3, 0, 1, 4, 2])


@pytest.mark.parametrize("options", [{"top_k_decay": 1.0}, {"top_k_floor": 1.0}])
def test_neutral_settings_are_the_base(options):
    states = []
    for model in (GAN(*toys.image_networks()), TopKGAN(*toys.image_networks(), **options)):
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
        logs = model.train_step(tf.constant(toys.images(4)))
        assert "g/top_k_share" not in logs
        states.append(toys.values(model))
    toys.assert_same(*states)


@pytest.mark.slow
def test_xla_and_eager_train_alike():
    states = []
    for options in ({"run_eagerly": True}, {"jit_compile": True}):
        model = TopKGAN(*toys.image_networks(batch_norm=False), top_k_decay=0.5, top_k_interval=1)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), **options)
        model.fit(toys.images(16), batch_size=8, verbose=0)
        states.append(toys.values(model))
    for name, value in states[0].items():
        np.testing.assert_allclose(states[1][name], value, rtol=1e-3, atol=1e-5, err_msg=name)


SCRIPT = """
import numpy as np
import searches
import tensorflow as tf
from tfgans.layers.norms import BatchNormalization
from tfgans.methods import compose
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.top_k import TopKGAN

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
BatchNormalization.call = lambda layer, inputs, training=False: inputs
images = np.random.default_rng(0).uniform(-1, 1, (1, 4, 8, 8, 1)).astype("float32")
options = dict(test_generator_updates="both", top_k_decay=0.5, top_k_floor=0.25, top_k_interval=1)

def logs_of(strategy, **compiled):
    with strategy.scope():
        model = searches.make(compose(TopKGAN, AlphaGAN), compiled=compiled, **options)
        model.step.assign(1)
    model.choose_phase("test_generator", 0)
    share = 4 // strategy.num_replicas_in_sync

    def part(context):
        first = context.replica_id_in_sync_group * share
        return {"images": tf.constant(images[:, first : first + share])}

    data = strategy.experimental_distribute_values_from_function(part)
    step = lambda: strategy.run(model.train_step, (data,))
    found = (step if "run_eagerly" in compiled else tf.function(step, autograph=False))()
    return {name: float(strategy.reduce("MEAN", value, axis=None)) for name, value in found.items()}

whole = logs_of(tf.distribute.get_strategy(), run_eagerly=True)
found = logs_of(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), run_eagerly=False, jit_compile=True)
assert whole.keys() == found.keys() and found["test/g/top_k_share"] == 0.5, found
for name, value in whole.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
print("replicas agree")
"""


@pytest.mark.slow
def test_xla_leaves_a_search_what_replicas_exchange():
    """AlphaGAN has gradients of the generator's losses of its own, by weights and architecture together."""
    assert_replicas_agree(SCRIPT)
