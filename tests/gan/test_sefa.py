"""Directions by SeFa: eigenvectors by hand, and against brute force."""

import numpy as np
import pytest

from tfgans.gan.directions import sefa


def test_two_axes_by_hand():
    vectors, values = sefa([np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([[0.0], [2.0]])], 2)
    np.testing.assert_allclose(values, [9.0, 5.0], rtol=1e-12)  # 1 + 2^2
    np.testing.assert_allclose(vectors, [[1.0, 0.0], [0.0, 1.0]], atol=1e-7)


def test_no_direction_changes_what_follows_more():
    random = np.random.default_rng(0)
    kernel = random.normal(size=(6, 20))
    vectors, values = sefa([kernel[:, :5], kernel[:, 5:]], 3)
    lengths = np.linalg.norm(vectors @ kernel, axis=1)
    np.testing.assert_allclose(lengths**2, values, rtol=1e-5)
    others = random.normal(size=(10_000, 6))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    most = np.linalg.norm(others @ kernel, axis=1).max()
    assert 0.97 * lengths[0] < most <= lengths[0] * (1 + 1e-6)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=1e-6)
    assert (vectors[np.arange(3), np.abs(vectors).argmax(1)] > 0).all()
    assert len(sefa([kernel], 10)[0]) == 6 and values == pytest.approx(sorted(values, reverse=True))
