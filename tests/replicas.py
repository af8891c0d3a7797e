"""Scripts that train on two logical devices, each in a process of its own: TensorFlow splits the CPU but once."""

import forks

TESTS = forks.ROOT / "tests"


def assert_replicas_agree(script, timeout=300):
    """Runs a script, which may import the tests' modules and must print "replicas agree" last."""
    paths = f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / 'methods')!r}]\n"
    _, out, err = forks.run(paths + script, timeout=timeout)
    assert out.endswith("replicas agree\n"), err[-3000:]
