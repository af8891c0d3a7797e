"""Methods with optimizers of their own in models that are compiled again: rates are those that a new model has."""

import growing
import keras
import pytest
import searches
import tensorflow as tf
import toys

from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.rggan.model import RGGAN

MODELS = {
    "progressive": lambda: ProgressiveGAN(*growing.networks(), stage_steps=(1, 1)),
    "alphagan": lambda: AlphaGAN(searches.supernet(), searches.critic(), **searches.SMALL, **searches.HINGE),
    "rggan": lambda: RGGAN(*toys.image_networks(batch_norm=False), threshold_weight=1e-6),
}
HALVED = {"learning_rate_schedule": lambda step: 0.5 ** tf.cast(step, tf.float32), "run_eagerly": True}


def sgd(*rates):
    return [keras.optimizers.SGD(rate) for rate in rates]


def rates(model, step):
    """Those of all optimizers that the schedule moves, as they are set before the step."""
    model.step.assign(step)
    model.set_learning_rates()
    return {
        name: (name.replace("test_", "").split("_")[0], float(model.optimizers()[name].learning_rate))
        for name in model.learning_rate_factors()
        if "architecture" not in name
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_schedule_goes_on_from_the_first_rates_and_takes_new_optimizers_as_they_are(name):
    model, both = MODELS[name](), sgd(0.4, 0.8)
    for _ in range(2):  # with the same optimizers the second time, whose rates are an eighth by then
        model.compile(*both, **HALVED)
        expected = {"generator": 0.4 / 8, "discriminator": 0.8 / 8}
        found = rates(model, 3)
        assert len(found) == 4
        assert {n: rate for n, (_, rate) in found.items()} == pytest.approx(
            {n: expected[network] for n, (network, _) in found.items()}
        )
    model.compile(*sgd(0.1, 0.2), **HALVED)
    assert {n: rate for n, (_, rate) in rates(model, 1).items()} == pytest.approx(
        {n: {"generator": 0.05, "discriminator": 0.1}[network] for n, (network, _) in found.items()}
    )
