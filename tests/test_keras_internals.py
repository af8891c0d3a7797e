"""Private names of other libraries are used in adapters alone, which say what is gone and with which versions."""

import ast
import importlib.metadata
import pathlib
import re
import sys

import gin
import keras
import pytest
import tensorflow as tf

from tfgans import config, keras_internals, keras_lookup, private_names
from tfgans.config import ConfigError, gin_internals

ROOT = pathlib.Path(__file__).parent.parent
MODULES = sorted((ROOT / "tfgans").rglob("*.py"))
ADAPTERS = ("keras_internals.py", "config/gin_internals.py")
# Parts of packages whose names are nobody's business, and what is private by its look alone.
PRIVATE_MODULES = re.compile(r"(keras\.src|tensorflow\.\w+)(\.|$)")
PUBLIC = {"os._exit"}
FOREIGN = ("keras", "tf", "gin", "np")


def is_private(name):
    return re.fullmatch(r"_[A-Za-z]\w*", name) is not None


def on_self(node):
    return ast.unparse(node.value) in ("self", "cls")


def own_names(trees):
    """Private names that tfgans defines: functions, classes, variables, arguments and attributes of `self`."""
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and on_self(node):
            found.add(node.attr)
    return {name for name in found if is_private(name)}


def names_of_others():
    """Private names of what our classes are made from, and of gin."""
    layer, optimizer = keras.layers.Dense(1), keras.optimizers.SGD()
    model = keras.Sequential([keras.Input((1,)), layer])
    optimizer.build(model.trainable_variables)
    things = (
        keras.Model(model.inputs, model.outputs),
        layer,
        optimizer,
        keras.callbacks.Callback(),
        gin.config,
    )
    return {name for thing in things for name in {*dir(thing), *vars(thing)} if is_private(name)}


def uses(tree, own, others):
    """`(line, what)` of each private name of another library that a module uses or names in text.

    On `self` a name of ours may be one of Keras's, too: what classes of ours replace is looked at apart.
    """
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            ours = own if on_self(node) else own - others
            if node.attr not in ours and ast.unparse(node) not in PUBLIC:
                yield line, node.attr
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node).split(".")[0] in FOREIGN:
                yield line, ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                last = name.rsplit(".", 1)[-1]
                if PRIVATE_MODULES.match(name) or (is_private(last) and not name.startswith("tfgans.")):
                    yield line, name
        elif isinstance(node, ast.Import):
            yield from ((line, alias.name) for alias in node.names if PRIVATE_MODULES.match(alias.name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            path = re.fullmatch(r"(keras\.src|tensorflow\.python)[\w.]*", node.value)
            if path or node.value in others - own:
                yield line, node.value


@pytest.fixture(scope="module")
def wrong():
    """A function that says which names of others a module's text uses."""
    own = own_names([ast.parse(path.read_text()) for path in MODULES])
    others = names_of_others()
    return lambda text: [name for _, name in uses(ast.parse(text), own, others)]


@pytest.mark.slow
def test_only_adapters_use_private_names_of_other_libraries(wrong):
    found = {}
    for path in MODULES:
        name = str(path.relative_to(ROOT / "tfgans"))
        if name not in ADAPTERS and wrong(path.read_text()):
            found[name] = wrong(path.read_text())
    assert found == {}
    for name in ADAPTERS:  # and they do: the test sees names at all
        assert wrong((ROOT / "tfgans" / name).read_text())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("network._flatten_layers()", ["_flatten_layers"]),
        ("def f(self):\n    return self._layers", ["_layers"]),
        ("gin.config._REGISTRY", ["_REGISTRY"]),
        ("def f(self, x):\n    return self._metrics, x._metrics", ["_metrics"]),  # ours and Keras's
        ("getattr(model, '_nodes_by_depth', None)", ["_nodes_by_depth"]),
        ("keras.layers.Layer.__call__ = call", ["keras.layers.Layer.__call__"]),
        ("from keras.src import backend", ["keras.src", "keras.src.backend"]),
        ("import tensorflow.python.framework.ops", ["tensorflow.python.framework.ops"]),
        ("importlib.import_module('keras.src.saving')", ["keras.src.saving"]),
        ("from numpy import _core", ["numpy._core"]),
        ("self._xla_functions[0]; os._exit(1); x.__class__; keras.layers.Dense", []),
    ],
)
def test_each_kind_of_use_is_seen(wrong, text, names):
    assert wrong(text) == names


def replaced(found):
    """`Class._name` of each private attribute of a class that one of another library has, too."""
    mine = [base for base in found.__mro__ if base.__module__.startswith("tfgans")]
    others = {name for base in found.__mro__ if base not in mine for name in vars(base)} - {"_abc_impl"}
    return [
        f"{base.__name__}.{name}" for base in mine for name in vars(base).keys() & others if is_private(name)
    ]


def test_no_class_replaces_what_keras_keeps_private():
    config.import_rooms()
    modules = [module for name, module in sys.modules.items() if name.startswith("tfgans.")]
    classes = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    ours = {each for each in classes if each.__module__.startswith("tfgans.")}
    assert len(ours) > 150
    found = {name for each in ours for name in replaced(each)}
    assert found == {"Driver._maybe_symbolic_build"}  # by the adapter
    odd = type("Odd", (keras.layers.Dense,), {"_flatten_layers": None, "__module__": "tfgans.odd"})
    assert replaced(odd) == ["Odd._flatten_layers"]


def refused(action):
    with pytest.raises(ConfigError) as raised:
        action()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_name_that_is_gone_is_told_with_the_versions(monkeypatch):
    versions = {"keras": "3.99.0", "tensorflow": "2.98.1"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    monkeypatch.delattr(keras.layers.Layer, "_flatten_layers")
    line = refused(lambda: keras_internals.layers_of(keras.layers.Dense(1)))
    assert line == (
        "keras 3.99.0 and tensorflow 2.98.1 have no Dense._flatten_layers, which tfgans needs: "
        "tfgans is tested with keras 3.15.1 and tensorflow 2.21.0"
    )


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("_run_through_graph", lambda thing: keras_internals.run_graph(thing, [], None)),
        ("_nodes_by_depth", keras_internals.nodes_from_outputs),
        ("_call_has_training_arg", keras_internals.takes_training),
        ("_flatten_layers", keras_internals.layers_inside),
        ("_trainable_variables", keras_internals.trained_by),
        ("_get_variable_index", lambda thing: keras_internals.index_in(thing, None)),
        ("_use_weight_decay", lambda thing: keras_internals.is_decayed(thing, None)),
        ("_learning_rate", keras_internals.learning_rate_of),
        ("_all_reduce_sum_gradients", keras_internals.hand_over_sums),
        ("_get_function", lambda thing: keras_internals.function_of(thing, "f")),
    ],
)
def test_every_attribute_is_looked_up_loudly(name, action):
    assert f"object.{name}, which tfgans needs" in refused(lambda: action(object()))


def test_hand_over_sums_does_not_make_what_is_not_there():
    optimizer = type("Changed", (), {})()
    refused(lambda: keras_internals.hand_over_sums(optimizer))
    assert vars(optimizer) == {}


def test_modules_that_are_gone_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras.src.models.functional", None)
    line = refused(lambda: keras_internals.is_functional(object()))
    assert "have no keras.src.models.functional, which tfgans needs" in line
    assert "no keras.src.trainers.data_adapters.data_adapter.DataAdapter" in refused(
        lambda: (
            monkeypatch.delattr("keras.src.trainers.data_adapters.data_adapter.DataAdapter"),
            keras_internals.data_adapter(),
        )
    )


def test_models_are_not_made_where_fit_would_build_them(monkeypatch):
    monkeypatch.delattr("keras.src.backend.tensorflow.trainer.TensorFlowTrainer._maybe_symbolic_build")
    assert "Model._maybe_symbolic_build" in refused(
        lambda: keras_internals.never_built_by_fit(type("GAN", (), {}))
    )


def test_a_look_up_of_classes_that_is_gone_is_told(monkeypatch):
    module = type(ast)("keras.src.saving.object_registration")
    assert "object_registration.get_registered_object" in refused(lambda: keras_lookup._prepare(module))


def test_gin_is_looked_up_loudly(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda package: {"gin-config": "0.6.0"}[package])
    monkeypatch.delattr(gin.config, "_OPERATIVE_CONFIG")
    assert refused(gin_internals.used) == (
        "gin-config 0.6.0 has no gin.config._OPERATIVE_CONFIG, which tfgans needs: "
        "tfgans is tested with gin-config 0.5.0"
    )


def test_tested_versions_are_those_of_the_constraints():
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert {name: pinned[name] for name in private_names.TESTED} == private_names.TESTED


def test_a_package_of_another_name_has_no_version(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    error = private_names.gone("a name", "tensorflow")
    assert str(error).startswith("tensorflow of an unknown version has no a name")


def test_layers_calls_and_graphs_as_they_are_now():
    """By hand: an inner model [Dense a, Dense b] beside a Dense c."""
    images = keras.Input((2,))
    a, b, c = (keras.layers.Dense(2, name=name) for name in "abc")
    inner = keras.Model(images, b(a(images)), name="inner")
    outer = keras.Model(images, c(inner(images)))
    assert set(keras_internals.layers_of(outer)) == {outer, images._keras_history[0], *inner.layers, inner, c}
    assert keras_internals.layers_inside(outer) == outer.layers
    assert [node.operation.name for node in keras_internals.nodes_from_outputs(outer)][:2] == ["c", "inner"]
    assert keras_internals.is_functional(outer) and not keras_internals.is_functional(a)
    seen, original = [], keras.layers.Layer.__call__

    def noted(original, layer, *args, **kwargs):
        seen.append(layer.name)
        return original(layer, *args, **kwargs)

    with pytest.raises(KeyError), keras_internals.calls_through(noted):
        outer(tf.zeros((1, 2)))
        raise KeyError
    assert seen == [outer.name, "inner", "a", "b", "c"] and keras.layers.Layer.__call__ is original
    ran = []
    keras_internals.run_graph(
        outer, [tf.zeros((1, 2))], lambda layer, x, **_: ran.append(layer.name) or layer(x)
    )
    assert ran == ["inner", "c"]
    assert keras_internals.takes_training(keras.layers.Dropout(0.5))
    assert not keras_internals.takes_training(keras.layers.Flatten())
    with keras.StatelessScope():
        assert keras_internals.in_stateless_scope()
    assert not keras_internals.in_stateless_scope()
