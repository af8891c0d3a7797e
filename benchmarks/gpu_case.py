"""One configuration on this machine, for `gpu_check.py`: first the right bits, then, when told to, the time.

    python benchmarks/gpu_case.py --configuration="--gin_file=A.gin" [--gin_param=...] [--batch_size=N] [--updates=9]
        [--profile=FILE.gz]

Trains on one batch of random images, and prints one JSON object a line. The first says whether it trained: the
seconds from the imports to the end of the first updates, the logs, and, if they are made more than once from the
same state, whether they give the same bits. Then it waits for lines on standard input: a number asks for the time of
so many updates, `profile` for what the GPU does in two (`gpu_profile.py`), anything else ends it.
"""

import argparse
import hashlib
import math
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import gpu_profile
import numpy as np
import tensorflow as tf
from spoken_to import say
from step_time import Contender

from tfgans import checkpoint
from tfgans.gan.accounting import planned_cost
from tfgans.memory import peak_bytes

START = time.perf_counter()


def digest(state):
    """A hash of all arrays of a model's state."""
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(name.encode())
        total.update(np.ascontiguousarray(state[name]).tobytes())
    return total.hexdigest()[:16]


def peak_mib():
    """The most memory held so far: of the first GPU by TensorFlow, else of the process."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] >> 20
    return peak_bytes() >> 20


def repeats(contender, updates, times):
    """The digests of the states after the same updates, made so many times from the same state."""
    start, ends = checkpoint.read_state(contender.model), []
    for _ in range(times):
        checkpoint.write_state(contender.model, start)
        contender.run(updates)
        ends.append(digest(checkpoint.read_state(contender.model)))
    return ends


def measured(contender, updates):
    """The time of so many updates, and how fast that is."""
    batch = contender.images_per_update // contender.model.discriminator_steps
    flops = planned_cost(contender.model, batch, updates)["training_flops"] / updates
    seconds, images = contender.run(updates), contender.images_per_update
    return {
        "seconds_per_update": seconds,
        "images_per_second": images / seconds,
        "seconds_per_kimg": 1000 * seconds / images,
        "tflops_per_second": flops / seconds / 1e12,
        "peak_mib": peak_mib(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configuration", required=True, help="a gin file, or flags as one text")
    parser.add_argument("--gin_param", action="append", default=[])
    parser.add_argument("--batch_size", type=int)
    parser.add_argument(
        "--updates", type=int, default=9, help="before the time is taken; more than lazy terms wait"
    )
    parser.add_argument("--times", type=int, default=2, help="that they are made from the same state")
    parser.add_argument("--profile", help="a file for the profile, which is packed")
    options = parser.parse_args()
    contender = Contender("case", options.configuration, options.gin_param, options.batch_size)
    seconds = time.perf_counter() - START
    ends = repeats(contender, options.updates, options.times)
    logs = {name: float(value) for name, value in contender.logs.items()}
    say(
        seconds_to_first_update=round(seconds, 1),
        compile_seconds=round(contender.compile_seconds, 1),
        finite=all(math.isfinite(value) for value in logs.values()),
        same_bits=len(set(ends)) == 1 if options.times > 1 else None,
        digest=ends[0],
        logs={name: float(f"{value:.7g}") for name, value in logs.items()},
        peak_mib=peak_mib(),
    )
    for line in sys.stdin:
        if line.strip() == "profile":
            say(**gpu_profile.profile(contender.run, 2, options.profile))
        elif line.strip().isdigit():
            say(**measured(contender, int(line)))
        else:
            break


if __name__ == "__main__":
    main()
