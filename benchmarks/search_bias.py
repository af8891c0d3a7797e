"""Does AlphaGAN's search favour an operation before anything is learnt, and does that decide what is found?

    python benchmarks/search_bias.py [--draws=100] [--channels=16] [--search=FOLDER ...]

For each draw a new supernet makes 32x32 images of new latents, and a standard normal gradient comes back to them,
which says nothing of them. `first` is the share of edges in which an operation has the steepest descent of all;
chance is one over the number of operations. `correlation` is that of two operations' gradients. An operation that is
unlike the others wins more often than chance: of two that go together the better one is hardly better than either
alone.

With finished searches, folders of `launch/search.py`: how many edges each operation has in what was found, and in how
many the largest weight after the first outer step is still the largest at the end. Prints tables, then JSON.
"""

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import numpy as np

from tfgans import files


def gradients(draws, channels, batch_size=32):
    """{names of operations: [draws, edges, operations]} of random gradients, of all edges with these operations."""
    import keras
    import tensorflow as tf

    from tfgans.methods.alphagan.spaces.autogan.supernet import GeneratorSupernet

    found = {}
    for draw in range(draws):
        keras.utils.set_random_seed(draw)
        network = GeneratorSupernet(resolution=32, channels=1, base_channels=channels, latent_dim=32)
        weights = [variable.value for variable in network.architecture_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            images = network(tf.random.normal([batch_size, 32]), training=True)
            total = tf.reduce_sum(images * tf.random.normal(images.shape))
        rows = network.architecture_operations.values()
        for names, gradient in zip(rows, tape.gradient(total, weights), strict=True):
            found.setdefault(names, []).extend(gradient.numpy())
    return {names: np.reshape(each, (draws, -1, len(names))) for names, each in found.items()}


def favoured(gradient):
    """The share of edges that each operation descends most steeply in. Args: gradient: [draws, edges, operations]."""
    count = gradient.shape[-1]
    return np.bincount(gradient.argmin(-1).ravel(), minlength=count) / gradient[..., 0].size


def correlations(gradient):
    """[operations, operations] of their gradients. Args: gradient: [draws, edges, operations]."""
    return np.corrcoef(gradient.reshape(-1, gradient.shape[-1]).T)


def searched(folder):
    """({operation: edges that it has in the end}, edges whose first favourite stayed, edges) of a search."""
    rows = files.JsonLines(Path(folder) / "search.jsonl").read()
    start, first, last = rows[0]["mixing"], rows[1]["mixing"], rows[-1]["mixing"]
    ends, stayed, edges = Counter(), 0, 0
    for group, end in last.items():
        moved, end = np.array(first[group]) - np.array(start[group]), np.array(end)
        stayed += int((moved.argmax(-1) == end.argmax(-1)).sum())
        edges += len(end)
    for names in rows[-1]["genotype"].values():
        ends.update(np.ravel(names).tolist())
    return dict(ends), stayed, edges


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--search", action="append", default=[], help="folder of a search; several times")
    options = parser.parse_args()
    result = {"draws": options.draws, "channels": options.channels, "first": {}, "searches": {}}
    for names, gradient in gradients(options.draws, options.channels).items():
        shares = favoured(gradient)
        print(f"{gradient.shape[1]} edges, chance {1 / len(names):.1%}")
        for name, share, row in zip(names, shares, correlations(gradient), strict=True):
            print(f"  {name:16} first {share:6.1%}   correlation {' '.join(f'{r:6.2f}' for r in row)}")
        result["first"] |= dict(zip(names, np.round(shares, 4).tolist(), strict=True))
    for folder in options.search:
        ends, stayed, edges = result["searches"][folder] = searched(folder)
        counts = ", ".join(f"{name} {n}" for name, n in sorted(ends.items()))
        print(f"{folder}: {counts}; the first step's favourite stayed in {stayed} of {edges} edges")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
