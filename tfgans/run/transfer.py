"""Weights from another run, where a new one begins: fine-tuning."""

import json
import logging
import re
from pathlib import Path

import keras
import numpy as np

from tfgans import checkpoint, files, readers
from tfgans.config import ConfigError
from tfgans.layers.state import scheduled_state
from tfgans.networks.stylegan2_pickles import NOISE, is_pickle, read_stylegan2
from tfgans.weight_names import named_weights

logger = logging.getLogger(__name__)

REPORT = "initialized_from.json"
_SHOWN = 5
_LONG = 10**8  # updates, and images, of an average: no ramp holds it any more
_CHECKPOINT = re.compile(r"step_(\d{8,})\.npz")


def initialize(model, source):
    """Gives a model that has not been trained the weights of another run that fit, by name and by shape.

    Both networks take what the other run's have; the moving average, if the model has one, that of the other run with
    how far it has come, or else the other generator; that of a pickle has no ramp any more. Optimizers and the state
    of methods begin anew.

    Args:
        source: the folder of a run, for its newest checkpoint that can be read; a checkpoint, `step_*.npz`; a
            Keras file of a generator, which leaves the discriminator as it is drawn; or a pickle of NVIDIA's
            StyleGAN2, whose networks must be those of the model.
    Returns: {"source", "step" (None of other files than a run's), and for each of `GAN.carried_over` {"taken",
        "arrays": numbers of arrays, "parameters_taken", "parameters", "left": names of arrays that are as they were
        drawn, "left_out": names of arrays of the source that have no place}}.
    Raises: ConfigError if there is no such thing, it cannot be read, no kernel of it fits the generator, or a number
        that would be taken is not finite.
    """
    path = Path(files.expanded(source))
    parts = model.carried_over()
    if is_pickle(path):
        step, arrays = None, _of_pickle(path, parts)
    else:
        step, arrays = _of_keras_file(path) if _is_keras_file(path) else _of_checkpoint(path)
    fitting = _fitting(parts["generator"], arrays["generator"])
    if max((len(variable.shape) for variable in fitting.values()), default=0) < 2:  # biases fit by chance
        why = _why(parts["generator"], arrays["generator"])
        raise ConfigError(f"train.initialize_from: nothing in {source} fits the generator: {why}")
    arrays = {"ema_generator": arrays["generator"]} | arrays
    for part, named in parts.items():
        _refuse_not_finite(source, part, named, arrays.get(part, {}))
    given = {part: _give(named, arrays.get(part, {})) for part, named in parts.items()}
    return {"source": str(source), "step": step} | given


def tell(report, folder):
    """Writes what was taken into a new run's folder, and says it in the log.

    Args: report: what `initialize` gives; None for a run that begins by itself, which removes an earlier report.
    """
    if report is None:
        (Path(folder) / REPORT).unlink(missing_ok=True)
        return
    files.write_text(Path(folder) / REPORT, json.dumps(report, indent=1) + "\n")
    step = "" if report["step"] is None else f", step {report['step']:,}"
    logger.info("initialized from %s%s", report["source"], step)
    for name, found in report.items():
        if isinstance(found, dict):
            logger.info("  %s: %s", name, _in_words(found))


def warnings(run):
    """What one may take to be learnt by another run and is not, of a `training.Run` before it goes on: lines."""
    if run.saved_step is None:
        named, origin = run.model.carried_over(), run.origin
        return run.model.missing({part: origin[part]["left"] if origin else [*named[part]] for part in named})
    source, began = run.plan.initialize_from, None
    if source is None:
        return ()
    report = run.folder / REPORT
    if report.exists():
        try:
            with readers.reading(report, "what the run began with"):
                began = str(readers.parse_json(report.read_bytes())["source"])
        except ConfigError as error:  # which is nothing that training needs
            return (str(error),)
    if str(source) == began:
        return ()
    with_what = "weights as they were drawn" if began is None else began
    return (
        f"{run.folder} has begun, with {with_what}: nothing is taken from {source}, as only a new run does",
    )


def _in_words(found):
    if not found["taken"]:
        return "as it was drawn"
    text = (
        f"{found['taken']:,} of {found['arrays']:,} arrays, "
        f"{found['parameters_taken']:,} of {found['parameters']:,} parameters"
    )
    for key, words in (("left", "as they were drawn"), ("left_out", "left out")):
        names = found[key]
        if names:
            text += f"; {words}: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
    return text


def _of_checkpoint(path):
    """`(step, {part: {name: array}})` of a checkpoint or of a run's newest."""
    match = _CHECKPOINT.fullmatch(path.name)
    if path.is_dir():
        checkpoints = checkpoint.Checkpoints(path / "checkpoints")
        found = checkpoints.newest()
        if found is None:
            raise ConfigError(f"train.initialize_from: there is no checkpoint in {path}")
        state, about = found
    elif match and path.is_file():
        checkpoints = checkpoint.Checkpoints(path.parent)
        state, about = checkpoints.load(int(match[1]))
    else:
        raise ConfigError(
            "train.initialize_from is a run's folder, a checkpoint (step_*.npz), a .pkl of NVIDIA's or a .keras file"
            f". Received: {str(path)!r}, which {'is none' if path.exists() else 'is not there'}"
        )
    names = checkpoints.names(about["step"])
    if names is None:
        raise ConfigError(
            f"{path} was saved by a version that did not name its weights: give its generator.keras, or train it "
            "one update further"
        )
    with readers.reading(path, "a checkpoint"):
        parts = {part: {name: state[key] for name, key in keys.items()} for part, keys in names.items()}
    return about["step"], parts


def _is_keras_file(path):
    return path.suffix == ".keras" and not path.is_dir()


def _of_keras_file(path):
    with readers.reading(path, "a Keras file"):
        network = keras.models.load_model(path, compile=False)
        named = named_weights(network, scheduled_state(network))
        arrays = {name: checkpoint.as_array(weight) for name, weight in named.items()}
    return None, {"generator": arrays}


def _of_pickle(path, parts):
    """`{part: {name: array}}` of a pickle of NVIDIA's. Raises: ConfigError if its networks are not the model's.

    It does not say how far its average has come. From 0 on a ramp would make that a copy of G at once: as in the
    authors' code, which leaves the ramp out where a run begins with a pickle, it is taken for one of a long run.
    """
    published = read_stylegan2(path)
    for part, arrays in published.weights.items():
        why = _difference(parts[part], arrays) if part in parts else None
        if why:
            bindings = " ".join(f"{name}={value}" for name, value in published.bindings.items())
            raise ConfigError(
                f"train.initialize_from: the {part.replace('_', ' ')} in {path} is another one than the "
                f"configuration's: {why}. These bindings make those in the file: {bindings}"
            )
    return published.weights | {"average": {"updates": _LONG, "images": _LONG}}


def _difference(named, arrays):
    """How the networks differ of which these are the weights, apart from their fixed noise; None if they do not."""
    for name in dict.fromkeys((*named, *arrays)):
        there, here = (list(np.shape(of[name])) if name in of else "not" for of in (arrays, named))
        if there != here and not name.endswith(NOISE):
            return f"{name} is {there} there, {here} here"
    return None


def _fitting(named, arrays):
    """Those of `{name: variable}` for which there is an array of their shape."""
    return {n: v for n, v in named.items() if n in arrays and np.shape(arrays[n]) == tuple(v.shape)}


def _refuse_not_finite(source, part, named, arrays):
    """Refuses what a run that diverged has left: no checkpoint of ours is such, other files may be."""
    for name in _fitting(named, arrays):
        if not np.isfinite(arrays[name]).all():
            raise ConfigError(
                f"{name} of the {part.replace('_', ' ')} in {source} holds numbers that are not finite"
            )


def _give(named, arrays):
    """Sets the variables that fit; returns what the report says of them."""
    fitting = _fitting(named, arrays)
    for name, variable in fitting.items():
        variable.assign(arrays[name])
    return {
        "taken": len(fitting),
        "arrays": len(named),
        "parameters_taken": _size(fitting.values()),
        "parameters": _size(named.values()),
        "left": [name for name in named if name not in fitting],
        "left_out": [name for name in arrays if name not in named],
    }


def _size(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def _why(named, arrays):
    """How the first weight that both have differs."""
    for name, variable in named.items():
        if name in arrays:
            return f"{name} is {list(arrays[name].shape)} there, {list(variable.shape)} here"
    return "it has no weight of the same name"
