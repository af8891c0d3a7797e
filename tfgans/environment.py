"""What tfgans needs of Keras's own settings: the variable KERAS_BACKEND and the file keras.json.

Keras reads them when it is imported, and then either fails or makes other networks. This can be called before, and
imports neither Keras nor TensorFlow. A keras.json that is no JSON is left out by Keras, and so it is here.
"""

import json
import os

from tfgans.errors import ConfigError

NEEDED = {"backend": "tensorflow", "image_data_format": "channels_last", "floatx": "float32"}


def check(command=False):
    """Raises ConfigError, in one line, if Keras is set to what tfgans does not run with.

    Args:
        command: whether a command of tfgans is to run, whose training nothing else may end.
    """
    backend = os.environ.get("KERAS_BACKEND")
    if backend and backend != NEEDED["backend"]:
        raise ConfigError(f"KERAS_BACKEND is tensorflow for tfgans, or not set. Received: {backend!r}")
    for name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        if command and name in os.environ:
            raise ConfigError(f"{name} would end training early: unset it. Received: {os.environ[name]!r}")
    path = settings_file()
    settings = _read(path)
    for name, needed in NEEDED.items():
        given = settings.get(name, needed)
        if given != needed and not (name == "backend" and backend):
            other = ", or set KERAS_BACKEND=tensorflow" if name == "backend" else ""
            raise ConfigError(f'{path}: "{name}" is "{needed}" for tfgans{other}. Received: {given!r}')
    if not isinstance(settings.get("epsilon", 1e-7), float):
        raise ConfigError(f'{path}: "epsilon" is a number such as 1e-07. Received: {settings["epsilon"]!r}')


def settings_file():
    """The path of keras.json, where Keras looks for it."""
    home = os.path.expanduser("~")
    default = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return os.path.expanduser(os.path.join(os.environ.get("KERAS_HOME", default), "keras.json"))


def _read(path):
    if not os.path.exists(path):
        return {}
    try:
        with open(path) as file:
            settings = json.load(file)
    except ValueError:
        return {}
    except (OSError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is nested too deeply"
        raise ConfigError(f"{path}, Keras's settings, cannot be read: {reason}") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}, Keras's settings, is one JSON object. Received: {settings!r}")
    return settings
