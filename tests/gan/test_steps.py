"""Ways to run steps of one kind: one by one, or in a loop on the device."""

import functools

import pytest
import tensorflow as tf

from tfgans.gan.steps import Looped, OneByOne, StepLogs

EVERY_WAY = pytest.mark.parametrize(
    "way",
    [functools.partial(OneByOne, compiled=False), OneByOne, Looped],
    ids=("eager", "compiled", "looped"),
)


class Steps:
    """Steps that count themselves and log (the batch's sum, steps before it)."""

    def __init__(self, way, **options):
        self.traced, self.count = 0, tf.Variable(0.0)
        self.run = way(self.step, **options)

    def step(self, batch):
        self.traced += 1
        before = self.count.read_value()
        with tf.control_dependencies(tf.nest.flatten(batch)):
            self.count.assign_add(1.0)
        return tf.stack([tf.reduce_sum(batch["images"]) if batch else tf.constant(7.0), before])


def batches(count, *, first=0):
    images = tf.range(first, first + count, dtype=tf.float32)[:, None] * tf.ones(2)
    return iter(tf.data.Dataset.from_tensor_slices({"images": images}))


@EVERY_WAY
def test_the_sum_of_logs_and_the_number_of_steps(way):
    steps, data = Steps(way), batches(9)
    total, done = steps.run(data, 3)  # sums of 0, 2, 4 and of 0, 1, 2
    assert (total.numpy().tolist(), done) == ([6.0, 3.0], 3)
    total, done = steps.run(data, 1)
    assert (total.numpy().tolist(), done) == ([6.0, 3.0], 1)
    assert float(steps.count) == 4


@EVERY_WAY
def test_the_data_ends_before_a_step_and_moves_nothing(way):
    steps, data = Steps(way), batches(2)
    total, done = steps.run(data, 5)
    assert (total.numpy().tolist(), done, float(steps.count)) == ([2.0, 1.0], 2, 2.0)
    assert steps.run(data, 5)[1] == 0 and float(steps.count) == 2


@EVERY_WAY
def test_without_data(way):
    steps = Steps(way, takes_data=False)
    total, done = steps.run(batches(0), 4)
    assert (total.numpy().tolist(), done) == ([28.0, 6.0], 4)


@pytest.mark.parametrize("way", [OneByOne, Looped])
def test_a_step_is_traced_once_for_all_data_and_counts(way):
    steps = Steps(way)
    for first, count in ((0, 1), (10, 2), (20, 3)):
        data = batches(4, first=first)
        total, _ = steps.run(data, count)
        assert float(total[0]) == 2 * sum(range(first, first + count))
    assert steps.traced == 1


@EVERY_WAY
def test_what_goes_wrong_in_the_data_is_not_its_end(way):
    steps = Steps(way)
    broken = tf.data.Dataset.range(3).map(
        lambda i: {"images": tf.ensure_shape(tf.cond(i < 1, lambda: tf.ones(2), lambda: tf.ones(3)), (2,))}
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        steps.run(iter(broken), 3)
    assert float(steps.count) == 1


def test_means_of_logs_count_every_step():
    """Three steps of one kind, whose x sum up to 6, and two of another; then one more."""
    logs = StepLogs()
    logs.names = {"a": ("x",), "b": ("x", "y")}
    both = [("a", tf.constant([6.0]), 3), ("b", tf.constant([4.0, 8.0]), 2)]
    assert logs.record(both, 3) == logs.last == {"x": 2.0, "y": 4.0}
    assert logs.record([("a", tf.constant([5.0]), 1)], 1) == {"x": 2.5, "y": 4.0}
    assert logs.last == {"x": 5.0} and logs.counts == {"x": 6, "y": 2}
    logs.reset()
    assert logs.record([("b", tf.constant([1.0, 3.0]), 1)], 1) == {"x": 1.0, "y": 3.0}
