"""A few batches made ahead of the training that takes them."""

import tensorflow as tf

ELEMENTS = 4


def made_ahead(data):
    """A tf.data set whose next elements are made while one is used, in their order.

    tf.data is told not to tune it: the thread that tunes sleeps for up to a minute, and the end of an iterator, and
    with it of a training run, now and then waits for that. `data` must therefore leave no number to be tuned.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.prefetch(ELEMENTS).with_options(options)
