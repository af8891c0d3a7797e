"""Every experiment of docs/configurations.md builds: those without searched networks."""

import builds
import pytest
from builds import is_of_a_search
from configurations import ROWS
from slow import some


@pytest.fixture(scope="module", autouse=True)
def once():
    with builds.once_for_each_network():
        yield


@pytest.mark.parametrize("name", some([name for name in ROWS if not is_of_a_search(name)], every=5))
def test_every_experiment_builds_and_uses_all_it_says(name):
    builds.try_experiment(name)
