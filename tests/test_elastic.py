"""A run goes on with another number of replicas than it began with: equal to rounding."""

import pytest
from replicas import assert_replicas_agree


@pytest.mark.slow
def test_two_replicas_go_on_as_one_or_four_with_the_state_of_each_image_cut_anew():
    assert_replicas_agree("import elastic\nelastic.main()")
