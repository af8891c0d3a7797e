"""Scripts that train on two logical devices, each in a process of its own: TensorFlow splits the CPU but once."""

import forks

TESTS = forks.ROOT / "tests"


def run_alone(script, timeout=300):
    """Runs a script, which may import the tests' modules, in a process of its own; its exit code and what it said."""
    paths = f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / 'methods')!r}]\n"
    code, out, err = forks.run(paths + script, timeout=timeout)
    return code, err + out


def assert_replicas_agree(script, timeout=300):
    """Runs a script that must print "replicas agree" last."""
    code, said = run_alone(script, timeout)
    assert code == 0 and said.endswith("replicas agree\n"), said[-3000:]
