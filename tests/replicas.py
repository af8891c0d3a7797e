"""Scripts that train on two logical devices, each in a process of its own: TensorFlow splits the CPU but once."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def assert_replicas_agree(script, timeout=300):
    """Runs a script, which may import the tests' modules and must print "replicas agree" last."""
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "methods")]
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.stdout.endswith("replicas agree\n"), done.stderr[-3000:]
