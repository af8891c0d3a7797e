import numpy as np
import pytest
import tensorflow as tf

from tfgans.data import to_float, to_uint8


def in_graph(function):
    return lambda values: tf.function(function)(tf.constant(values)).numpy()


@pytest.mark.parametrize("convert", [to_float, in_graph(to_float)], ids=["numpy", "graph"])
def test_pixels_become_floats(convert):
    floats = convert(np.array([0, 51, 255], np.uint8))
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, [-1.0, -0.6, 1.0], atol=1e-7)


@pytest.mark.parametrize("convert", [to_uint8, in_graph(to_uint8)], ids=["numpy", "graph"])
def test_floats_become_the_nearest_pixel(convert):
    """0 is level 127.5, a half, which goes up; 2 and -3 are clipped; -0.6 is 51; 0.5 is 191.25."""
    pixels = convert(np.array([0.0, 2.0, -3.0, -0.6, 0.5, 1.0, -1.0], np.float32))
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [128, 255, 0, 51, 191, 255, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_every_level_survives_the_round_trip(dtype):
    levels = np.arange(256, dtype=np.uint8)
    assert (to_uint8(to_float(levels).astype(dtype)) == levels).all()
    assert (to_uint8(tf.cast(to_float(tf.constant(levels)), dtype)).numpy() == levels).all()


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros(2, np.int32), tf.zeros(2)])
def test_only_uint8_has_a_known_range(wrong):
    with pytest.raises(ValueError, match="takes uint8 pixels"):
        to_float(wrong)
