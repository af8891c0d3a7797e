"""Opens genotypes and statistics in a process that has not made them; run by `test_opened_results.py`.

python opened_results.py FOLDER: prints JSON; see the test for what stands in it.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from tfgans.evaluate.features import DigitsFeatures
from tfgans.evaluate.statistics import cached_reference
from tfgans.methods.alphagan.spaces.autogan.genotype import load_genotype
from tfgans.methods.alphagan.spaces.autogan.networks import alphagan_generator
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype
from tfgans.methods.alphagan.spaces.biggan.networks import alphagan_biggan_generator
from tfgans.methods.alphagan.spaces.stylegan2.networks import (
    alphagan_stylegan2_discriminator,
    alphagan_stylegan2_generator,
)
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype
from tfgans.run import sets

LOADED = {
    "autogan": load_genotype,
    "biggan": load_biggan_genotype,
    "stylegan2": load_stylegan2_genotype,
    "stylegan2_pair": load_stylegan2_genotype,
}
SMALL = {"resolution": 8, "channels": 1}
STYLE = {"latent_dim": 4, "style_dim": 4, "max_channels": 4}


def networks(name, genotype):
    """The networks that a genotype is for, small; a genotype's own file or the genotype."""
    if name == "autogan":
        return [alphagan_generator(genotype=genotype, latent_dim=4, base_channels=2, **SMALL)]
    if name == "biggan":
        options = {"latent_dim": 8, "base_channels": 4, "embedding_dim": 2, "num_classes": 3}
        return [alphagan_biggan_generator(genotype=genotype, **options, **SMALL)]
    made = [alphagan_stylegan2_generator(genotype=genotype, **STYLE, **SMALL)]
    if name == "stylegan2_pair":
        made.append(alphagan_stylegan2_discriminator(genotype=genotype, max_channels=4, **SMALL))
    return made


def output(network):
    """Of weights and inputs that are a function of their places and shapes alone: a list of numbers."""
    keras.utils.set_random_seed(0)  # noise
    draws = np.random.default_rng(0)
    for variable in network.weights:
        value = 0.3 * draws.normal(size=variable.shape)
        variable.assign(np.abs(value) if "variance" in variable.name else value)
    given = [_input(tensor.shape[1:], tensor.dtype) for tensor in network.inputs]
    found = network(given if len(given) > 1 else given[0], training=False)
    return np.ravel(np.asarray(keras.tree.flatten(found)[0], np.float64)).tolist()


def _input(shape, dtype):
    """Four latents or images, or labels of three classes."""
    if dtype.startswith("int"):
        return np.arange(4, dtype=dtype) % 3
    return np.linspace(-1.0, 1.0, 4 * int(np.prod(shape)), dtype=dtype).reshape(4, *shape)


class Dataset:
    """The digits as `cached_reference` takes a data set, by their fingerprint alone."""

    def __init__(self, fingerprint, size):
        self._fingerprint, self._size = fingerprint, size

    def fingerprint(self):
        return self._fingerprint

    def reference_size(self):
        return self._size

    def reference(self):
        raise AssertionError("the statistics are in the cache")


def distances(first, features):
    """What `fid` finds of statistics against the held-out digits."""
    return sets.between(str(first), "digits@test", features, METRICS.get(Path(first).name, ("fid",)))


METRICS = {"saved.npz": ("fid", "kid", "precision_recall", "mind")}


def main():
    folder = Path(sys.argv[1])
    result = {"genotypes": {}, "outputs": {}, "distances": {}}
    for name, load in LOADED.items():
        path = str(folder / f"{name}.json")
        result["genotypes"][name] = load(path).line()
        keras.utils.clear_session()
        result["outputs"][name] = [output(network) for network in networks(name, path)]
    features = DigitsFeatures()
    about = json.loads((folder / "reference.json").read_text())
    found = cached_reference(
        Dataset(about["fingerprint"], about["size"]), features, about["keep"], folder / "cache"
    )
    np.savez(folder / "found.npz", kept=found.kept, **found.moments.arrays())
    for name in ("saved.npz", "pytorch_fid.npz"):
        result["distances"][name] = distances(folder / name, features)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
