import keras
import numpy as np
import pytest

from tfgans.layers.initializers import Orthogonal


@pytest.mark.parametrize("shape", [(3, 3, 8, 8), (1, 1, 8, 8), (2, 60), (60, 2), (9, 10)])
@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_the_shorter_side_is_orthonormal(shape, gain):
    matrix = np.reshape(Orthogonal(gain)(shape), (-1, shape[-1]))
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-5 * gain**2)


def test_it_is_the_q_of_the_qr_decomposition():
    """Keras's own, from the same Gaussian matrix."""
    for shape in ((40, 5), (5, 40)):
        ours, theirs = (kind(gain=2.0, seed=3)(shape) for kind in (Orthogonal, keras.initializers.Orthogonal))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_it_is_saved_and_fresh_each_time():
    first, second = Orthogonal(2.0)((40, 5)), Orthogonal(2.0)((40, 5))
    assert np.abs(first - second).max() > 0.1
    again = keras.initializers.deserialize(keras.initializers.serialize(Orthogonal(2.0, seed=1)))
    assert type(again) is Orthogonal
    np.testing.assert_array_equal(again((40, 5)), Orthogonal(2.0, seed=1)((40, 5)))
