"""Networks as Keras files that open elsewhere."""

import contextlib
import json
import logging
import shutil
import zipfile
from pathlib import Path

import keras

from tfgans import files, filling, readers
from tfgans.errors import ConfigError
from tfgans.keras_lookup import PACKAGE
from tfgans.layers import copies

logger = logging.getLogger(__name__)

_CONFIGURATION = "config.json"  # the member of a Keras file that says which layers it has
_HINT = f" of {PACKAGE} (import {PACKAGE} first)"


def save_network(network, path):
    """Writes a network as a `.keras` file, whole or not at all.

    `keras.models.load_model` opens it once `tfgans` is imported. Where it is not, Keras's message names the first
    class it does not know; for classes of tfgans that name says what to import. Classes of the user's own are
    named in the log: they must be known to Keras (`keras.saving.register_keras_serializable`) and imported.

    Raises: ConfigError naming the layer, if one cannot say how it is made again (`get_config`), or several share it;
        or the class or function of which Keras would open one that computes something else.
    """
    path = Path(path)
    _refuse_changed(network, path)
    files.remove_left(path)
    with filling.part_of(path.parent, f".{path.name}.part") as part:
        whole = part / "whole.keras"
        with _refusing(network, path):
            network.save(whole)
        with files.replacing(path) as file, zipfile.ZipFile(whole) as source:
            foreign = _copy(source, zipfile.ZipFile(file, "w"))
    if foreign:
        logger.info("%s holds classes to import before it is opened: %s", path, ", ".join(sorted(foreign)))


def refuse_unwritable(network, path):
    """Raises what `save_network` would for this network, before there is anything to write."""
    _refuse_changed(network, path)
    with _refusing(network, path):
        keras.saving.serialize_keras_object(network)


def _refuse_changed(network, path):
    """Refuses a network that Keras would write, and then not open as it is."""
    if shared := copies.shared_inside(network):
        raise ConfigError(
            f"{network.name} cannot be written to {path}: {shared}, and Keras could not open it"
        )
    if changed := copies.changed(network):
        raise ConfigError(f"{network.name} cannot be written to {path}: {changed}")


@contextlib.contextmanager
def _refusing(network, path):
    """Turns what Keras and the layers' own code raise into one line."""
    try:
        yield
    except OSError:
        raise  # the machine's fault, such as a full disk
    except Exception as error:
        raise ConfigError(f"{network.name} cannot be written to {path}: {readers.reason(error)}") from error


def _copy(source, target):
    """Copies a Keras file with the hint in the names of our classes; returns "<class> of <module>" of others."""
    foreign = set()
    with target:
        for member in source.infolist():
            with source.open(member) as old, target.open(member, "w", force_zip64=True) as new:
                if member.filename == _CONFIGURATION:
                    configuration = json.loads(old.read())
                    _mark(configuration, foreign)
                    new.write(json.dumps(configuration).encode())
                else:
                    shutil.copyfileobj(old, new, 2**20)
    return foreign


def _mark(part, foreign):
    if isinstance(part, list):
        for value in part:
            _mark(value, foreign)
    elif isinstance(part, dict):
        name, module = part.get("registered_name"), part.get("module") or "__main__"
        if isinstance(name, str) and part.get("class_name") != "function":
            if name.startswith(f"{PACKAGE}>"):
                part["class_name"] += _HINT
            elif module.split(".")[0] != "keras":
                foreign.add(f"{part['class_name']} of {module}")
        for value in part.values():
            _mark(value, foreign)
