"""Seconds per generator update of FastGAN, SNGAN, RobGAN and a plain GAN, beside their cost model and the paper's.

    python benchmarks/fastgan_cost.py [--width=32] [--batch_size=32] [--jit] [--rounds=5] [--steps=4]

The CIFAR-10 networks of FastGAN's paper at a quarter of their width, on random images; the four take turns, A B A B.
The model counts passes: each forward, backward and gradient of weights of a network costs its forward's
multiply-accumulates, and none is made that no update needs. Prints a table, then one JSON object.
"""

import argparse
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from step_time import Contender, measure, results

from tfgans.evaluate import cost

# The files of each on CIFAR-10, as in docs/configurations.md.
FLAGS = {
    "fastgan": "networks/fastgan_cifar fastgan/fastgan",
    "sngan": "networks/sngan_cifar losses/hinge fastgan/baseline",
    "robgan": "networks/fastgan_cifar fastgan/robgan",
    "plain": "networks/fastgan_cifar fastgan/fastgan",
}
# Passes of one update, in batches: forwards of G; forwards of D, backwards through its activations, and gradients
# of its weights. The generator's own step adds a backward and the gradients of weights of G.
PASSES = {"fastgan": (2, 5, 5, 4), "sngan": (6, 11, 11, 10), "robgan": (6, 26, 26, 10), "plain": (2, 3, 3, 2)}
PAPER = {"fastgan": 1.0, "sngan": 2.57, "robgan": 4.03}  # Table 6, CIFAR-10


def predicted(name, generator, discriminator):
    """Multiply-accumulates of one update for each image of a batch, of networks that cost these each."""
    forwards, *passes = PASSES[name]
    return (forwards + 2) * generator + sum(passes) * discriminator


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=32, help="channels of every map; the paper's are 128")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    parser.add_argument("--rounds", type=int, default=5, help="counted turns of each method")
    parser.add_argument("--steps", type=int, default=4, help="generator updates a turn")
    options = parser.parse_args()
    small = [f"resnet_{part}.base_channels={options.width}" for part in ("generator", "discriminator")]
    small += [f"batch_size={options.batch_size}", f"build.jit_compile={options.jit}"]
    contenders, macs = [], []
    for name in PASSES:
        files = " ".join(
            f"--gin_file=gin_configs/{file}.gin" for file in ["data/cifar10", *FLAGS[name].split()]
        )
        own = ["build.methods=()"] if name == "plain" else []
        contenders.append(Contender(name, files, [*own, *small], options.batch_size))
        networks = contenders[-1].model.generator, contenders[-1].model.discriminator
        macs.append(predicted(name, *map(cost.macs, networks)))
    measure(contenders, options.rounds, options.steps)
    rows = results(contenders)
    print("method   s/update   ratio  cost model  off by  paper")
    for row, products in zip(rows, macs, strict=True):
        row |= {"model": round(products / macs[0], 3), "paper": PAPER.get(row["name"])}
        row["off"] = round(row["ratio"] / row["model"] - 1.0, 3)
        print(
            f"{row['name']:<8} {row['seconds_per_update']:8.4f} {row['ratio']:7.3f} {row['model']:11.3f} "
            f"{row['off']:+7.1%}  {row['paper'] or '-'}"
        )
    print(json.dumps({"width": options.width, "batch_size": options.batch_size, "results": rows}))


if __name__ == "__main__":
    main()
