"""Lets Keras find the layers of tfgans in saved files once `tfgans` is imported.

A class is known to Keras when its module has been imported; importing them all would load TensorFlow. So the two
functions by which Keras looks classes up, which have no public hook (`keras_internals.LOOKUPS`), import them when a
name of ours is first asked for.
"""

import functools
import importlib.abc
import importlib.machinery
import sys

from tfgans import keras_internals

PACKAGE = "tfgans"  # what registered names begin with: tfgans>BatchNormalization
_ROOMS = ("tfgans.layers", "tfgans.networks", "tfgans.methods")


def install():
    """Prepares Keras, whether it has been imported or will be; does not import it."""
    for name in keras_internals.LOOKUPS:
        if name in sys.modules:
            _prepare(sys.modules[name])
    if not all(name in sys.modules for name in keras_internals.LOOKUPS):
        sys.meta_path.insert(0, _WhenKerasIsImported())


class _WhenKerasIsImported(importlib.abc.MetaPathFinder):
    """Finds the modules of Keras's look-up as Python would, and prepares them as soon as they are there."""

    def find_spec(self, name, path=None, target=None):
        if name not in keras_internals.LOOKUPS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_prepare(module):
                execute(module)
                _prepare(module)

            spec.loader.exec_module = execute_and_prepare
        return spec


def _prepare(module):
    name = keras_internals.LOOKUPS[module.__name__]
    look_up = keras_internals.of(module, name)
    if hasattr(look_up, "imports_tfgans"):
        return

    @functools.wraps(look_up)
    def after_import(*args, **kwargs):
        if _is_ours(args[0] if args else next(iter(kwargs.values()), None)):
            _import_rooms()
        return look_up(*args, **kwargs)

    after_import.imports_tfgans = True
    setattr(module, name, after_import)


def _is_ours(asked):
    name = asked.get("registered_name") if isinstance(asked, dict) else asked
    return isinstance(name, str) and name.startswith(f"{PACKAGE}>")


@functools.cache
def _import_rooms():
    from tfgans import config

    config.import_rooms(_ROOMS)
