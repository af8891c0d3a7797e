"""Our side of one race, for `race_torch.py`, as `race_theirs.py` is the other.

    python benchmarks/race_ours.py CASE PRECISION THREADS [BINDING ...]

The first line that it says has the counts of parameters. Then it waits for lines on standard input: a number asks for
the time of so many updates, anything else ends it.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import tensorflow as tf
from race_cases import CASES, POLICIES
from race_talk import answer
from spoken_to import say
from step_time import Contender


def count(network):
    return sum(weight.value.shape.num_elements() for weight in network.trainable_variables)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("precision", choices=POLICIES)
    parser.add_argument("threads", type=int)
    parser.add_argument("bindings", nargs="*", help="of gin, beside those of the case")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    case = CASES[options.case]
    precision = f'numerics.precision="{POLICIES[options.precision]}"'
    params = [*case.gin_params, precision, *options.bindings]
    contender = Contender(options.case, case.configuration, params, case.batch_size)
    say(
        version=f"TensorFlow {tf.__version__}",
        generator=count(contender.model.generator),
        discriminator=count(contender.model.discriminator),
        average=contender.model.ema_generator is not None,
        first_seconds=contender.compile_seconds,
    )
    answer(contender.run)


if __name__ == "__main__":
    main()
