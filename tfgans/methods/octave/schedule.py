"""How beta_H and beta_L go with time: functions of t in (0, 1], the share of training done.

Each gives (beta_H, beta_L), scalar tensors. What frequency shares the paper's Fig. 9 draws is stated in its text only
roughly; `combi` is what the released code does, `ramp` is our reading of the text.
"""

import tensorflow as tf

from tfgans.config import ConfigError, Number, Several, configurable


@configurable
def constant(t, beta_high: Number = 1.0, beta_low: Number = 1.0):
    """The same betas throughout; 1 and 1 are the plain octave convolution."""
    return tf.constant(beta_high, tf.float32), tf.constant(beta_low, tf.float32)


@configurable
def ramp(t, start: Number = 0.0, end: Number = 1.0, first: Number = 0.0, last: Number = 1.0):
    """beta_H goes in a straight line from `first` at t = start to `last` at t = end; beta_L = 1 - beta_H."""
    return piecewise_linear(t, (start, end), (first, last), beta_low=None)


@configurable
def combi(t):
    """beta_H = t + 0.2 up to t = 0.5, then 0.7; beta_L = 1 - beta_H (the released code)."""
    return piecewise_linear(t, (0.0, 0.5), (0.2, 0.7), beta_low=None)


@configurable
def piecewise_linear(
    t,
    times: Several(Number) = (0.0, 1.0),
    beta_high: Several(Number) = (1.0, 1.0),
    beta_low: Several(Number) | None = None,
):
    """Straight lines between points, constant outside them.

    Args:
        times: of the points, rising, in [0, 1].
        beta_high: beta_H at them.
        beta_low: beta_L at them; None is 1 - beta_H.
    Raises: ConfigError unless there are as many values as times, at least one, and the times rise.
    """
    values = [beta_high] if beta_low is None else [beta_high, beta_low]
    rising = all(a < b for a, b in zip(times, times[1:], strict=False))
    if not times or not rising or any(len(v) != len(times) for v in values):
        raise ConfigError(
            "piecewise_linear: times rise, and each has one value of each beta. "
            f"Received: times {times}, beta_high {beta_high}, beta_low {beta_low}"
        )
    high = _interpolate(t, times, beta_high)
    return high, (1.0 - high if beta_low is None else _interpolate(t, times, beta_low))


def _interpolate(t, times, values):
    t = tf.cast(t, tf.float32)
    result = tf.constant(values[0], tf.float32)
    for start, end, first, last in zip(times, times[1:], values, values[1:], strict=False):
        share = tf.clip_by_value((t - start) / (end - start), 0.0, 1.0)
        result += (last - first) * share
    return result
