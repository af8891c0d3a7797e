"""Copies where the training set has some samples twice."""

import numpy as np

from tfgans.evaluate import memorization


def test_copies_of_samples_that_are_there_twice_are_copies():
    train = np.array([[0.0], [0.0], [5.0], [9.0]])
    generated = np.array([[0.0], [5.0], [1.0]])
    # 0 is 0 away from 0, whose twin is 0 away; 5's nearest is 4 away; 1 is 1 away from 0, farther than the twin
    assert memorization.authentic(train, generated).tolist() == [False, False, True]
    assert memorization.auth_pct(train, generated[:2]) == 0.0


def test_a_sample_as_far_as_the_neighbour_is_a_copy():
    assert memorization.authentic(np.array([[0.0], [2.0]]), np.array([[-2.0], [-2.5]])).tolist() == [
        False,
        True,
    ]
