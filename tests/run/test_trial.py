"""`describe --measure`: what is measured is a step, and a run is as many of them."""

import json
import time

import pytest
import tensorflow as tf
from replicas import assert_replicas_agree

from tfgans.config import ConfigError
from tfgans.gan.fitting.intake import Intake
from tfgans.run import build, describe, trial

FLAGS = (
    ["gin_configs/quickstart.gin"],
    ["resnet_generator.base_channels = 8", "resnet_discriminator.base_channels = 8"],
)


@pytest.fixture
def slow(monkeypatch, eagerly):
    """Steps that take half a second longer, the first one a second."""
    original, took = trial.trial, [1.0]

    def measured(model, *args):
        train = model.make_train_function()
        model.make_train_function = lambda: (
            lambda data: time.sleep(took.pop() if took else 0.5) or train(data)
        )
        return original(model, *args)

    monkeypatch.setattr(build, "trial", measured)


@pytest.mark.slow
def test_a_run_takes_as_long_as_its_steps(slow):
    facts, model = build.describe(*FLAGS, measure=True)
    found = facts["measured"]
    assert 0.5 < found["seconds_per_step"] < 5 and found["compile_seconds"] >= 1.0
    assert found["hours"] == pytest.approx(1000 * found["seconds_per_step"] / 3600, rel=5e-3)
    assert 0.2 < found["peak_memory_gb"] < 100 and json.dumps(facts)
    said = describe.table(facts, model)
    assert (
        f"{found['seconds_per_step']:.3g} s a step" in said and f"{found['hours']:.3g} hours in all" in said
    )
    assert model.step.value.numpy() == 6


def test_seconds_are_those_of_one_of_the_steps_that_are_made_together():
    class Four:
        """A model that makes four steps of 0.2 seconds in a call."""

        batches_per_step, sample_shape, num_classes, steps_per_execution = 1, (8, 8, 1), None, 4
        on_halves = False

        def intake(self):
            return Intake(self.sample_shape, self.num_classes, 1, tf.distribute.get_strategy())

        def make_train_function(self):
            return lambda data: time.sleep(0.8) or {}

    assert 0.2 <= trial.trial(Four(), 2, "it", steps=2)["seconds_per_step"] < 0.7


@pytest.mark.slow
def test_nothing_is_measured_unasked(monkeypatch):
    monkeypatch.setattr(build, "trial", None)
    facts, model = build.describe(*FLAGS)
    assert "measured" not in facts and "s a step" not in describe.table(facts, model)


def test_searches_are_refused():
    class Search:
        on_halves = True

    with pytest.raises(ConfigError, match="a search cannot be measured by single steps. Received: Search"):
        trial.trial(Search(), 4, "it")


SHARED = """
import tensorflow as tf
from tfgans.run import build
from tfgans.run.trial import noise
flags = ["batch_size = 8", "build.methods = [@FastGAN]", "GAN.discriminator_steps = 2"]
flags.append("strategy.virtual_devices = 2")
parts = {}
for kind in ("one_device", "mirrored"):
    build.prepare(["gin_configs/base/ring.gin"], [*flags, f"strategy.kind = {kind!r}"])
    model, strategy = build.build_model()
    batch = next(iter(noise(model, 8)))["images"]
    parts[kind] = strategy.experimental_local_results(batch)
assert [part.shape for part in parts["mirrored"]] == [(2, 4, 2)] * 2, parts["mirrored"]
assert tf.reduce_all(tf.concat(parts["mirrored"], 1) == parts["one_device"][0])
facts, model = build.describe(["gin_configs/base/ring.gin"], [*flags, "strategy.kind = 'mirrored'"], measure=True)
assert facts["measured"]["seconds_per_step"] > 0 and model.step.value.numpy() == 6
print("replicas agree")
"""


@pytest.mark.slow
def test_replicas_share_the_batch_that_is_measured():
    """As in a run: each has its part of it, of which FastGAN keeps a perturbation for every place."""
    assert_replicas_agree(SHARED)
