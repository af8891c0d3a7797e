"""Trains a gin file as one process of a replicated run, then writes the whole state it holds.

python worker.py GIN_FILE MODEL_DIR STEPS STATE.npz [BINDING ...]
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from tfgans import checkpoint
from tfgans.run import build, training
from tfgans.run.plan import Plan


def main(gin_file, model_dir, steps, output, *bindings):
    build.prepare([gin_file], bindings)
    intervals = {"save_every": 5, "evaluate_every": 100, "sample_every": 100, "log_every": 5}
    run = training.Run(model_dir, Plan(int(steps), **intervals, num_samples_shown=4))
    with run.in_its_folder():
        run.fit()
        state = checkpoint.read_state(run.model)
        replicas = {}
        for i, variable in enumerate(run.model.generator.variables):
            parts = getattr(variable.value, "values", [variable.value])
            replicas |= {f"replica/{r}/{i:04d}": part.numpy() for r, part in enumerate(parts)}
    np.savez(output, **state, **replicas)


if __name__ == "__main__":
    main(*sys.argv[1:])
