"""Steps in a loop on the device are those that are called one by one, bit for bit, of every method."""

import keras
import pytest
import toys
from slow import some
from test_pairs import BATCH, METHODS, composed

from tfgans import checkpoint
from tfgans.run.trial import noise

STEPS = 3
COMBINED = [("AdvAsGAN", "FastGAN", "ReGAN"), ("PathLengthGAN", "StyleMixingGAN", "R1GAN", "ADAGAN")]
LAZY = {"R1GAN": {"r1_interval": 2}, "PathLengthGAN": {"path_length_interval": 2}}


@pytest.mark.parametrize("names", some([*COMBINED, *((m,) for m in METHODS)], 40), ids="-".join)
def test_a_loop_gives_the_bits_of_single_steps(names):
    lazy = {key: value for name in names for key, value in LAZY.get(name, {}).items()}
    model = composed(names, ema_decay=0.9, **lazy)
    model.compile(*(keras.optimizers.Adam(1e-3) for _ in range(2)), run_eagerly=False)
    start, ends = checkpoint.read_state(model), []
    for steps in (1, STEPS):
        checkpoint.write_state(model, start)
        model.steps_per_execution = steps
        train, data = model.make_train_function(force=True), iter(noise(model, BATCH))
        for _ in range(STEPS // steps):
            train(data)
        assert int(model.step.numpy()) == STEPS
        ends.append(toys.values(model))
    toys.assert_same(*ends)
    assert any((value != start[name]).any() for name, value in ends[0].items())
