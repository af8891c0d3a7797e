"""Models of the experiments, small; of networks that were made before nothing is made again."""

import contextlib
import functools
import inspect
import re

import gin
import keras
import pytest
import tensorflow as tf
from configurations import ROOT, ROWS, lines

from tfgans import config
from tfgans.data import Dataset, glyphs, sources
from tfgans.data.glyphs import GlyphItems
from tfgans.data.sources import PhotoItems
from tfgans.evaluate.evaluator import Evaluator
from tfgans.gan import average
from tfgans.layers import initializers
from tfgans.run import build

OFFLINE = ("digits", "photos", "glyphs", "ring", "grid")
TINY = {
    "base_channels": 8, "max_channels": 16, "mapping_layers": 1,
    "normal_operations": ("conv_1x1",), "up_operations": ("nearest",),
}  # fmt: skip
TINY_OF = {"alphagan_stylegan2_supernet": {"up_operations": ("deconv",)}}  # what it has other pools of
TINY_MACROS = {"width": 8, "group_width": 4}  # of R3GAN, which both of its networks take
TINY_RESOLUTION = {
    "stylegan2_generator": 32,
    "lightweight_generator": 32,
    "alphagan_stylegan2_supernet": 32,
    "alphagan_biggan_generator": 32,
    "alphagan_biggan_supernet": 32,
}  # of networks whose other arguments do not depend on it


def tiny(files, bindings=()):
    """The bindings that make the networks of these files small, for each function that `build` is given."""
    build.prepare([str(f) for f in files], bindings)
    small = []
    for part in ("generator", "discriminator"):
        network = gin.query_parameter(f"build.{part}")
        name = network.selector.rsplit(".", 1)[-1]
        parameters = inspect.signature(gin.get_configurable(network.selector)).parameters
        chosen = TINY | TINY_OF.get(name, {})
        small += [f"{name}.{key} = {value}" for key, value in chosen.items() if key in parameters]
        small += [f"resolution = {TINY_RESOLUTION[name]}"] if name in TINY_RESOLUTION else []
        small += [f"{key} = {value}" for key, value in TINY_MACROS.items() if key in parameters]
        if config.is_bound(name, "block_channels"):
            widths = gin.query_parameter(f"{name}.block_channels")
            small += [f"{name}.block_channels = {(8,) * len(widths)}"]
    return small


DRAWN = (
    keras.initializers.VarianceScaling, keras.initializers.RandomUniform, keras.initializers.RandomNormal,
    initializers.Orthogonal,
)  # fmt: skip
NETWORKS = {}  # those that were made, by all that is said of them


def said_of(reference):
    """What is bound of a value such as `@name`: its own bindings, and those of what they refer to."""
    found, names, all_lines = set(), set(_referred(reference)), lines()
    while names:
        name = re.escape(names.pop())
        own = {line for line in all_lines if re.match(rf"{name}(\.\w+)? = ", line)} - found
        found |= own
        names |= {other for line in own for other in _referred(line.partition(" = ")[2])}
    return frozenset({reference, keras.config.dtype_policy().name} | found)


def _referred(value):
    return re.findall(r"[@%]([\w/.]+)", value)


@contextlib.contextmanager
def once_for_each_network():
    """Networks that were made are kept, with their average; weights are zeros, photographs few.

    What optimizers keep depends on the shapes of weights alone: once it was made for a kind of optimizer, a zero
    stands for it.
    """
    zero, seen, original = keras.Variable(0.0), set(), keras.optimizers.Optimizer.add_optimizer_variables

    def add_optimizer_variables(optimizer, variables, *args):
        kind = (type(optimizer), repr(args))
        if kind in seen:
            zeros = [zero] * len(variables)
            return zeros if isinstance(args[0], str) else [zeros] * len(args[0])
        seen.add(kind)
        return original(optimizer, variables, *args)

    zeros = lambda self, shape, dtype=None, **_: tf.zeros(shape, dtype or "float32")  # noqa: E731
    few = lambda photos, count, *columns: PhotoItems(photos, count // 40, *columns)  # noqa: E731
    few_glyphs = lambda styles, count, *how: GlyphItems(styles, count // 40, *how)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.optimizers.Optimizer, "add_optimizer_variables", add_optimizer_variables)
        for drawn in DRAWN:
            patch.setattr(drawn, "__call__", zeros)
        patch.setattr(average, "clone", functools.cache(average.clone))
        patch.setattr(sources, "PhotoItems", few)
        patch.setattr(glyphs, "GlyphItems", few_glyphs)
        yield
    NETWORKS.clear()


def _with_specs_kept(network):
    """The network, which runs symbolically once for all inputs of the same shapes."""
    kept, original = {}, network.compute_output_spec

    def compute_output_spec(*args, **kwargs):
        key = repr(keras.tree.map_structure(_without_name, (args, kwargs)))
        if key not in kept:
            kept[key] = original(*args, **kwargs)
        return kept[key]

    network.compute_output_spec = compute_output_spec
    return network


def _without_name(value):
    return (value.shape, value.dtype) if isinstance(value, keras.KerasTensor) else value


def model_of_bindings():
    """The model of what was parsed, and the names of those of its networks that had been made before."""
    build.numerics()
    made_before = []
    for part in ("generator", "discriminator"):
        reference = gin.query_parameter(f"build.{part}")
        said = said_of(str(reference))
        if said in NETWORKS:
            made_before.append(reference.selector.rsplit(".", 1)[-1])
        else:
            NETWORKS[said] = _with_specs_kept(reference.scoped_configurable_fn())
        with gin.unlock_config():  # a function, as gin makes copies of what is none
            gin.bind_parameter(f"build.{part}", lambda said=said: NETWORKS[said])
    model, _ = build.build_model()
    return model, made_before


def built(files, bindings=(), strictly=True):
    """Builds what a command would, small; returns `(model, dataset or None)`.

    Nothing may be left unused; if not strictly, nothing that the command would refuse.
    """
    build.prepare([str(f) for f in files], [*bindings, *tiny(files, bindings)])
    model, not_called = model_of_bindings()
    if config.is_bound("Evaluator", "features"):
        Evaluator()
    not_called += ["train", "search"]
    dataset = Dataset() if gin.query_parameter("Dataset.source") in OFFLINE else None
    if dataset is None:
        not_called.append("Dataset")
    else:
        assert dataset.item_shape == model.sample_shape
        assert model.num_classes in (None, dataset.num_classes)
    if strictly:
        prefixes = tuple(f"{name}." for name in not_called) + ("batch_size",) * (dataset is None)
        unused = [name for name in config.unused_bindings() if not name.startswith(prefixes)]
        assert unused == [], unused  # said here, as pytest explains only what stands in tests
    else:
        config.refuse_unused(apart_from=not_called)
    return model, dataset


# Of what is not built of these, the values make no difference to what is.
NOT_BUILT = ("train.", "search.", "Dataset.source", "Dataset.fraction", "Dataset.evaluation_", "Dataset.crop")
KNOWN = {}  # what was built: `(num_classes, label_distribution)` by all that was said of it
# A file on its own has use for all it says, but those of these include optimizers that they replace.
REPLACING = ("regan/cifar10_dcgan",)


def is_of_a_search(name):
    return name.startswith("alphagan")


def said(files, bindings):
    """The configuration that `built` builds: bindings, and names alone of what makes no difference."""
    build.prepare([str(f) for f in files], [*bindings, *tiny(files, bindings)])
    return frozenset(line.split(" = ")[0] if line.startswith(NOT_BUILT) else line for line in lines())


def try_experiment(name):
    """Builds an experiment of the table and uses all it says."""
    files, bindings = ROWS[name]
    files = [ROOT / path for path in files]
    alone = len(files) == 1 and not bindings and "updates" not in files[0].read_text()
    strictly = alone and name not in REPLACING
    asked = said(files, bindings)
    ours = gin.query_parameter("Dataset.source") in OFFLINE
    if ours or strictly or asked not in KNOWN:
        model, _ = built(files, bindings, strictly)
        KNOWN[asked] = model.num_classes, model.label_distribution
    num_classes, distribution = KNOWN[asked]
    if num_classes:  # published ones draw labels as their authors do, ours as the data has them
        follows = ours or name.startswith("r3gan/")  # whose fakes have the real images' labels
        assert distribution == ("data" if follows else "uniform")
