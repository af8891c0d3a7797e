"""A step's reads and writes happen in the order of the code, whatever else the machine does."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import toys

from tfgans import checkpoint
from tfgans.methods.regularized import GradientPenaltyGAN


@pytest.mark.slow
def test_steps_repeat_on_a_busy_machine():
    keras.utils.set_random_seed(0)
    model = GradientPenaltyGAN(*toys.image_networks(batch_norm=False), discriminator_steps=2)
    model.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    start, data = checkpoint.read_state(model), toys.images(64)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        results = []
        for _ in range(40):
            checkpoint.write_state(model, start)
            model.fit(data, batch_size=16, shuffle=False, verbose=0)
            results.append(np.concatenate([w.ravel() for w in model.discriminator.get_weights()]))
    finally:
        for process in load:
            process.kill()
            process.wait()
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
