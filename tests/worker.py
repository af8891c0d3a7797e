"""Trains a gin file as one process of a replicated run, then writes the whole state it holds.

python worker.py GIN_FILE MODEL_DIR STEPS STATE.npz [BINDING ...]
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tfgans import checkpoint
from tfgans.run import build, training


def main(gin_file, model_dir, steps, output, *bindings):
    build.prepare([gin_file], bindings)
    run = training.Run(model_dir, int(steps))
    intervals = {"save_every": 5, "evaluate_every": 100, "sample_every": 100}
    with run.opened(num_samples_shown=4):
        run.fit(intervals, log_every=5, histograms=False)
        state = checkpoint.read_state(run.model)
        replicas = {}
        for i, variable in enumerate(run.model.generator.variables):
            parts = getattr(variable.value, "values", [variable.value])
            replicas |= {f"replica/{r}/{i:04d}": part.numpy() for r, part in enumerate(parts)}
    np.savez(output, **state, **replicas)


if __name__ == "__main__":
    main(*sys.argv[1:])
