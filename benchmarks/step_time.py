"""Seconds per generator update of gin files, and their ratios to the first of them.

    python benchmarks/step_time.py --gin_file=A.gin --gin_file=B.gin [--jit] [--alone] [--rounds=5] [--steps=10]

A configuration of several files or with bindings is --configuration='--gin_file=A.gin --gin_file=B.gin'.

The configurations take turns, A B A B, in one process on the same random images, so that a machine whose speed
drifts drifts for all of them. Prints a table, then one JSON object. Data sets need not be there.
"""

import argparse
import copy
import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import gin
import tensorflow as tf

from tfgans.compare import plan
from tfgans.run import build
from tfgans.run.trial import noise


class Contender:
    """One built and compiled configuration, with an endless iterator over one batch of random images."""

    def __init__(self, name, gin_file, gin_params, batch_size):
        self.name = name
        files, own = plan.parts(gin_file)
        build.prepare(files, [*own, *gin_params])
        self.model, _ = build.build_model()
        bound = gin.get_bindings("Dataset").get("batch_size", 64)
        self.start(batch_size or bound)

    def start(self, batch_size):
        """Makes the data and the step; traces and compiles while this configuration is the one parsed."""
        self.images_per_update = batch_size * self.model.discriminator_steps
        self.iterator = iter(noise(self.model, batch_size))
        self.train, self.steps_per_call = self.model.make_train_function(), self.model.steps_per_execution
        self.logs = {}  # of the last update
        began = time.perf_counter()
        self.run(1)
        self.compile_seconds = time.perf_counter() - began
        self.seconds = []

    def run(self, updates):
        """Seconds for each of so many generator updates."""
        executions = max(1, updates // self.steps_per_call)
        tf.test.experimental.sync_devices()  # what is asked of a GPU is done later
        began = time.perf_counter()
        for _ in range(executions):
            self.logs = self.train(self.iterator)
        tf.test.experimental.sync_devices()
        return (time.perf_counter() - began) / (executions * self.steps_per_call)


def alone(contender):
    """A contender of another's step 0 as a bare function: beside it, the other has what the host adds."""
    bare, model = copy.copy(contender), contender.model
    bare.name, bare.seconds, bare.steps_per_call = contender.name + " (alone)", [], 1
    model.choose_step(0)
    step = tf.function(lambda data: model.train_step(data.get_next()), autograph=False)
    began = time.perf_counter()
    bare.train = step.get_concrete_function(contender.iterator)
    bare.run(1)
    bare.compile_seconds = time.perf_counter() - began
    return bare


def measure(contenders, rounds, steps):
    """Lets the contenders take turns; the first round warms up and is not counted."""
    for number in range(rounds + 1):
        for contender in contenders:
            seconds = contender.run(steps)
            if number:
                contender.seconds.append(seconds)


def results(contenders):
    """One row a contender; its ratio is the median of the ratios within each round."""
    first = contenders[0].seconds
    rows = []
    for contender in contenders:
        ratios = [a / b for a, b in zip(contender.seconds, first, strict=True)]
        median = statistics.median(contender.seconds)
        rows.append(
            {
                "name": contender.name,
                "seconds_per_update": round(median, 5),
                "fastest": round(min(contender.seconds), 5),
                "images_per_second": round(contender.images_per_update / median, 1),
                "ratio": round(statistics.median(ratios), 3),
                "compile_seconds": round(contender.compile_seconds, 1),
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--gin_file", "--configuration", action="append", required=True, help="may be given several times"
    )
    parser.add_argument("--gin_param", action="append", default=[], help="for every configuration")
    parser.add_argument("--jit", action="store_true", help="each configuration also with build.jit_compile")
    parser.add_argument("--alone", action="store_true", help="also the first one's step 0 as a bare function")
    parser.add_argument("--batch_size", type=int, help="instead of each configuration's own")
    parser.add_argument("--rounds", type=int, default=5, help="counted turns of each configuration")
    parser.add_argument("--steps", type=int, default=10, help="generator updates a turn")
    options = parser.parse_args()
    variants = [("", [])] + ([(" (XLA)", ["build.jit_compile=True"])] if options.jit else [])
    contenders = [
        Contender(path + suffix, path, [*options.gin_param, *extra], options.batch_size)
        for path in options.gin_file
        for suffix, extra in variants
    ]
    if options.alone:
        contenders.insert(0, alone(contenders[0]))
    measure(contenders, options.rounds, options.steps)
    rows = results(contenders)
    width = max(len(row["name"]) for row in rows)
    print(f"{'configuration':<{width}}  s/update  fastest  images/s   ratio  compile s")
    for row in rows:
        print(
            f"{row['name']:<{width}}  {row['seconds_per_update']:8.4f} {row['fastest']:8.4f} "
            f"{row['images_per_second']:9.1f} {row['ratio']:7.3f}  {row['compile_seconds']:9.1f}"
        )
    print(json.dumps({"rounds": options.rounds, "steps": options.steps, "results": rows}))


if __name__ == "__main__":
    main()
