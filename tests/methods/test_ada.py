"""ADA: the share of images that its own transforms and the authors' pipeline change, and the pipeline in training."""

import numpy as np
import pytest
import tensorflow as tf
import toys
from augmenting import ALWAYS, INFINITE, PIPE, base_values, make, train, weights

from tfgans import checkpoint
from tfgans.augment.pipe import AugmentPipe
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.augmented import ADAGAN
from tfgans.methods.regularized import R1GAN


def test_ada_transforms_a_share_p_of_images():
    model = make(ADAGAN)
    images = tf.constant(toys.images(2000))
    for chance in (0.0, 0.2, 1.0):
        model.ada.probability.assign(chance)
        (batch,) = model.split_batch(images)
        changed = np.any(model.augmented(batch)["images"] != images, (1, 2, 3)).mean()
        # A flip is done with 1/2, a turn and a shift with 3/4 (of 8 pixels: by -1, 0 or 1), and surely: scale,
        # stretch, rotation, fraction, brightness, contrast. Saturation changes no grey image.
        left = (1 - chance / 2) * (1 - chance * 3 / 4) ** 2 * (1 - chance) ** 6
        assert changed == pytest.approx(1 - left, abs=0.04)
        assert np.all(batch["images"] == images)


def test_the_authors_pipeline_transforms_a_share_p_of_images():
    model = make(ADAGAN, ada_pipe=AugmentPipe("color,noise,cutout"))
    images = tf.constant(toys.images(2000))
    for chance in (0.0, 0.2, 1.0):
        model.ada.probability.assign(chance)
        (batch,) = model.split_batch(images)
        changed = np.any(model.augmented(batch)["images"] != images, (1, 2, 3)).mean()
        left = (1 - chance / 2) * (1 - chance) ** 4  # a luma flip is done with 1/2
        assert changed == pytest.approx(1 - left, abs=0.04)


def test_the_pipelines_draws_are_the_batchs_own_and_those_of_replicas_parts_of_one(monkeypatch):
    model = make(ADAGAN, ada_probability=0.5, **PIPE)
    draws = [model.augmentation_draws(8, which) for which in ("real 0", "fake")]
    for name in ("ada_pipe/maps", "ada_pipe/colors", "ada_pipe/noise", "ada_pipe/hole"):
        assert draws[0][name].shape[0] == 8 and np.any(draws[0][name] != draws[1][name]), name
    monkeypatch.setattr("tfgans.distribute.num_replicas", lambda: 2)
    for replica in range(2):
        monkeypatch.setattr("tfgans.distribute.replica_id", lambda: replica)  # noqa: B023
        for name, value in model.augmentation_draws(4, "fake").items():
            np.testing.assert_array_equal(value, draws[1][name][4 * replica : 4 * replica + 4], name)


@pytest.mark.slow
def test_p_may_be_a_number_or_a_function_of_the_updates():
    for p, expected in ((0.25, 0.25), (lambda step: tf.cast(step, tf.float32) / 4.0, 0.5)):
        model = make(ADAGAN, ada_probability=p, ada_speed=INFINITE)
        train(model, 2)
        assert not model.controllers and float(model.present_ada_probability()) == expected
    logs = model.discriminator_step(model.split_batch(tf.constant(toys.images(8)))[0])
    assert float(logs["d/ada_probability"]) == 0.5
    toys.assert_same(toys.values(train(make(ADAGAN, ada_probability=0.0))), base_values())


@pytest.mark.slow
def test_the_pipeline_trains_and_goes_on_bit_for_bit(tmp_path):
    cls, options = compose(ADAGAN, R1GAN), PIPE | ALWAYS | {"augment_penalties": True}
    whole = train(make(cls, **options), 2)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(whole, 2, {})
    train(whole, 2, seed=1)
    fresh = make(cls, **options)
    checkpoints.restore(fresh)
    toys.assert_same(toys.values(train(fresh, 2, seed=1)), toys.values(whole))
    assert float(whole.ada.value()) > 1.0 and all(np.isfinite(w).all() for w in weights(whole))


@pytest.mark.parametrize("operations", ["blit", "cutout", "blit,cutout", "geom", "color", "noise", ""])
def test_a_part_of_the_pipeline_draws_what_it_takes(operations):
    model = make(ADAGAN, ada_probability=1.0, ada_pipe=AugmentPipe(operations))
    images = tf.constant(toys.images(16))
    (batch,) = model.split_batch(images)
    seen = model.augmented(batch)["images"]
    changed = np.any(np.abs(seen - images) > 1e-3, (1, 2, 3))
    assert seen.shape == images.shape and np.mean(changed) > 0.8 if operations else not changed.any()


def test_what_a_pipeline_cannot_take_is_refused():
    with pytest.raises(ConfigError, match=r"22 pixels a side or more. Received: \(8, 8\)"):
        make(ADAGAN, ada_pipe=AugmentPipe("bgcf"))
    with pytest.raises(ConfigError, match="ada_pipe is an object"):
        make(ADAGAN, ada_pipe="bgc")


def test_p_may_be_float64_as_a_step_over_a_number_is():
    model = make(ADAGAN, ada_probability=lambda step: (step + 1) / 4, ada_speed=INFINITE)
    p = model.present_ada_probability()
    assert p.dtype == tf.float32 and float(p) == 0.25
    (batch,) = model.split_batch(tf.constant(toys.images(8)))
    assert model.augmented(batch)["images"].shape == (8, 8, 8, 1)
