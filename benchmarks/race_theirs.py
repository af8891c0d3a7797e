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
from race_talk import answer
from spoken_to import say


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def choose_device(precision):
    """The GPU if there is one, with the fastest kernels that it finds; TF32 where that is asked for alone."""
    if not torch.cuda.is_available():
        return
    torch.set_default_device("cuda")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


def wait():
    """Until the GPU has done what it was asked for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main(name, precision, threads):
    choose_device(precision)
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)  # as TensorFlow does
    torch.manual_seed(0)
    case = CASES[name]
    rival = importlib.import_module(case.module).make(case.batch_size, precision)
    began = time.perf_counter()
    rival.update()
    wait()
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
        wait()

    answer(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
