"""Networks with `recompute` are the same networks: names, files, outputs, and all that training does."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.layers import recompute
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.octave.convert import to_octave
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regularized import R1GAN
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.networks.biggan import biggan_discriminator, biggan_generator
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator

_STYLE = {"resolution": 8, "max_channels": 4}
_BLOCKS = {"resolution": 8, "block_channels": (4, 4), "num_classes": 3, "attention_resolutions": ()}
FAMILIES = {
    "stylegan2": (
        (stylegan2_generator, _STYLE | {"latent_dim": 4, "style_dim": 4, "mapping_layers": 1}),
        (stylegan2_discriminator, _STYLE),
    ),
    "progan": (
        (progan_generator, _STYLE | {"latent_dim": 4, "min_channels": 4}),
        (progan_discriminator, _STYLE | {"min_channels": 4}),
    ),
    "biggan": (
        (biggan_generator, _BLOCKS | {"latent_dim": 4, "embedding_dim": 2}),
        (biggan_discriminator, _BLOCKS),
    ),
}
METHODS = {
    "stylegan2": (AdvAsGAN, R1GAN, StyleMixingGAN, PathLengthGAN),
    "progan": (R1GAN,),
    "biggan": (AdvAsGAN,),
}
families = pytest.mark.parametrize("family", FAMILIES)


def networks(family, again):
    keras.utils.set_random_seed(0)
    made = [make(**arguments, recompute=again) for make, arguments in FAMILIES[family]]
    for variable in (v for network in made for v in network.trainable_variables):
        variable.assign(variable + 0.1)  # strengths of noise and biases, too
    return made


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def trained(family, again, steps=1, methods=None, **options):
    """All weights after some steps, which run eagerly, and the logs of the last."""
    classes = 3 if family == "biggan" else None
    options = {"num_classes": classes, "seed": 0} | options
    model = compose(*(METHODS[family] if methods is None else methods))(*networks(family, again), **options)
    model.compile(*(keras.optimizers.SGD(1e-2) for _ in range(2)), run_eagerly=True)
    random = np.random.default_rng(0)
    count = 4 * steps * model.batches_per_step
    images = random.uniform(-1, 1, (count, 8, 8, 3)).astype("float32")
    labels = () if classes is None else (random.integers(0, 3, count),)
    model.fit(images, *labels, batch_size=4 * model.batches_per_step, shuffle=False, verbose=0)
    variables = [*model.generator.variables, *model.discriminator.variables]
    return [v.numpy() for v in variables], {name: float(v) for name, v in model.step_logs.items()}


@pytest.fixture
def counted(monkeypatch):
    """How often a block was computed again."""
    times, original = [], recompute._pulled_back
    monkeypatch.setattr(recompute, "_pulled_back", lambda *arguments: times.append(1) or original(*arguments))
    return times


@pytest.mark.slow
@families
@pytest.mark.parametrize("policy", ["float64"], indirect=True)
def test_steps_of_all_derivatives_train_alike(family, policy, counted):
    """AdvAs and R1, and StyleGAN2's path lengths, whose gradients are of gradients."""
    weights, logs = trained(family, again=False)
    assert not counted
    other_weights, other_logs = trained(family, again=True)
    assert counted
    assert logs == pytest.approx(other_logs, rel=1e-6)  # they are of float32
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@families
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"], indirect=True)
def test_first_derivatives_are_the_same(family, policy, counted):
    """Bit for bit, but for BigGAN's class vector, which goes to all blocks: they come to it in another order."""
    (found, state), (other_found, other_state) = (first_derivatives(family, again) for again in (False, True))
    assert counted
    for one, other in zip([*found, *state], [*other_found, *other_state], strict=True):
        if family == "biggan":
            step = 1e-6 if policy == "float32" else 2e-2
            np.testing.assert_allclose(one, other, rtol=0.0, atol=step * max(np.abs(one).max(), 1e-3))
        else:
            np.testing.assert_array_equal(one, other)


def first_derivatives(family, again):
    """Of what D says of G's images, by all weights, and what the forwards have left in the others."""
    generator, discriminator = networks(family, again)
    labels = [tf.constant([2, 0])] if family == "biggan" else []
    latents = tf.constant(np.random.default_rng(0).normal(size=(2, 4)), "float32")
    with tf.GradientTape() as tape:
        images = generator([latents, *labels] if labels else latents, training=True)
        outputs = discriminator([images, *labels] if labels else images, training=True)
    variables = generator.trainable_variables + discriminator.trainable_variables
    state = generator.non_trainable_variables + discriminator.non_trainable_variables
    return tape.gradient(outputs["adversarial"], variables), [v.numpy() for v in state]


def test_a_growing_network_trains_alike(counted):
    """To rounding: what a map gives to the next block and to the smaller image comes back to it in another order."""
    options = dict(methods=(ProgressiveGAN,), steps=2, stage_steps=(1, 2), fade_share=(0.5, 0.5))
    (weights, _), (other_weights, _) = (trained("progan", again, **options) for again in (False, True))
    assert counted
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@families
def test_names_outputs_and_files_are_the_same(family, tmp_path):
    plain, again = networks(family, False), networks(family, True)
    for one, other in zip(plain, again, strict=True):
        names = [[re.sub(r"_\d+/", "/", v.path) for v in network.variables] for network in (one, other)]
        assert names[0] == names[1]
        shapes = [tensor.shape[1:] for tensor in one.inputs]
        given = [tf.ones((2, *shape)) if shape else tf.constant([1, 2]) for shape in shapes]
        given = given[0] if len(given) == 1 else given
        for training in (False, True):
            outputs = [tf.nest.flatten(n(given, training=training)) for n in (one, other)]
            for first, second in zip(*outputs, strict=True):
                np.testing.assert_array_equal(first, second)
        other.save(tmp_path / "network.keras")
        loaded = keras.models.load_model(tmp_path / "network.keras")
        np.testing.assert_array_equal(*(tf.nest.flatten(n(given))[0] for n in (other, loaded)))
        assert recomputing(loaded) == recomputing(other) > recomputing(one) == 0


def recomputing(network):
    """How many layers compute their activations again."""
    return sum(getattr(layer, "recompute", False) for layer in keras_internals.layers_of(network))


def test_what_cannot_be_computed_again_is_refused():
    with pytest.raises(ConfigError, match="recompute is of residual blocks. Received: residual = False"):
        stylegan2_discriminator(8, residual=False, recompute=True)
    with pytest.raises(ConfigError, match="to_octave: residual_up_block.* has recompute"):
        to_octave(networks("biggan", True)[0])
