"""Which latents the duality gap is learnt from and measured with."""

import numpy as np
import tensorflow as tf
import toys

from tfgans.evaluate.duality import DualityGap
from tfgans.gan import GAN
from tfgans.gan.driver import Driver


class Data:
    """Two splits of points."""

    split = "train"

    def reference(self, split=None, limit=None, batch_size=256):
        yield np.full((24, 1), 1.0 if split == "train" else 2.0, np.float32)[:limit], None

    def reference_size(self, split=None):
        return 24


def test_it_is_measured_with_latents_of_its_own_the_same_for_both_values(monkeypatch):
    model = GAN(*toys.scalar_networks())
    model.compile("sgd", "sgd")
    seen, plain = [], Driver.stream
    monkeypatch.setattr(
        Driver, "stream", lambda self, purpose: seen.append(int(self.draws)) or plain(self, purpose)
    )
    tf.config.run_functions_eagerly(True)
    try:
        DualityGap(steps=3, batch_size=8, num_samples=16)(model, Data())
    finally:
        tf.config.run_functions_eagerly(False)
    half = len(seen) // 2
    assert (
        seen[:half] == seen[half:]
    )  # the copy of D, then that of G, each learnt from 3 batches, measured on 2
    assert len(seen[:half]) == len(set(seen[:half])) == 3 + 2 and min(seen) > 2**60
