"""The PyTorch side of one race, in the environment that `race_torch.py` makes, as `race_ours.py` is the other.

    python benchmarks/race_theirs.py CASE PRECISION THREADS

The first line that it says has the counts of parameters. Then it waits for lines on standard input: a number asks for
the time of so many updates, anything else ends it.
"""

import importlib
import sys
import time

import torch
from race_cases import CASES
from race_talk import answer, say


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def main(name, precision, threads):
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)  # as TensorFlow does
    torch.manual_seed(0)
    case = CASES[name]
    rival = importlib.import_module(case.module).make(case.batch_size, precision)
    began = time.perf_counter()
    rival.update()
    say(
        version=f"PyTorch {torch.__version__}",
        generator=count(rival.generator),
        discriminator=count(rival.discriminator),
        average=rival.average is not None,
        first_seconds=time.perf_counter() - began,
    )

    def run(updates):
        for _ in range(updates):
            rival.update()

    answer(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
