"""A run in a few lines: what it is before it starts, and at its end what lies where."""

import logging
import os
import shlex
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgans import checkpoint, distribute, files
from tfgans.config import size_words
from tfgans.data.items import shown
from tfgans.evaluate import cost
from tfgans.evaluate.duality import GAP_VALUES
from tfgans.evaluate.metrics import made_in_training, values_of
from tfgans.evaluate.stability import STABILITY
from tfgans.run import transfer

logger = logging.getLogger(__name__)

_NAMED_CLASSES = 10


def lines(rows):
    """`{label: text}` as lines whose texts stand below each other."""
    width = max(map(len, rows), default=0)
    return [f"{label:<{width}}  {text}" for label, text in rows.items()]


def introduce(run, start):
    """Says what is about to be trained, and what may not be as expected, such as a disk too small for checkpoints."""
    logger.info("%s", "\n".join(lines(of_run(run, start))))
    unreached = () if run.plan.seconds is not None else run.model.unreached(run.steps)
    for warning in (*unreached, *transfer.warnings(run), full_disk_warning(run)):
        if warning:
            logger.warning("%s", warning)


def of_run(run, start):
    """What a run is before its first step: `{label: text}` for `lines`.

    Args:
        run: a `training.Run`. start: updates done by earlier processes.
    """
    return {
        "data": data(run.dataset, run.model.num_classes),
        "networks": networks(run.model),
        "methods": methods(run.model),
        "precision": keras.config.dtype_policy().name,
        "devices": devices(run.strategy),
        "batch": batch(run.dataset, run.model, run.steps - 1),
        "steps": steps(run, start),
        "evaluation": evaluation(run.evaluator, run.plan.evaluate_every),
        "checkpoints": checkpoints(run, run.plan.save_every),
        "folder": str(run.folder),
    }


def counted(number, noun, plural=None):
    """`1 image`, `1,000 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def data(dataset, num_classes):
    """Where the images come from, how many, how large, and of which classes."""
    if len(dataset.item_shape) == 1:
        parts = [counted(dataset.num_examples, "point")]
    else:
        height, width, channels = dataset.item_shape
        kinds = {1: "gray", 2: "gray and alpha", 3: "RGB", 4: "RGB and alpha"}
        parts = [
            f"{counted(dataset.num_examples, 'image')} of {size_words((height, width))}, {kinds[channels]}"
        ]
        if channels in (1, 3) and dataset.background != "white":
            parts[0] += f" on {dataset.background}"
    parts.append(classes(dataset, num_classes))
    if dataset.skipped:
        parts.append(f"{counted(dataset.skipped, 'image')} skipped")
    return f"{dataset.source}: {', '.join(parts)}"


def classes(dataset, num_classes):
    """The classes of the data, and whether training makes use of them."""
    if not dataset.num_classes:
        return "no classes"
    names = [shown(str(name)) for name in dataset.class_names or ()]
    some = ", ".join(names[:_NAMED_CLASSES]) + (", ..." if len(names) > _NAMED_CLASSES else "")
    text = counted(dataset.num_classes, "class", "classes") + (f" ({some})" if some else "")
    return text if num_classes else f"{text}, which training leaves aside: num_classes is not set"


def networks(model):
    """How large both networks are."""
    sizes = [
        f"{name} {counted(cost.parameters(network), 'parameter')}"
        for name, network in (("generator", model.generator), ("discriminator", model.discriminator))
    ]
    average = ", and the generator's moving average" if model.ema_generator is not None else ""
    return ", ".join(sizes) + average


def methods(model):
    """The methods that a model is composed of."""
    composed = [method.__name__ for method in getattr(type(model), "composed_of", (type(model),))]
    return ", ".join(name for name in composed if name != "GAN") or "none: the plain GAN"


def devices(strategy):
    """What trains."""
    replicas, workers = strategy.num_replicas_in_sync, distribute.workers()
    if replicas == 1:
        kinds = ["GPU" if tf.config.list_logical_devices("GPU") else "CPU"]
    else:
        kinds = sorted(
            {device.split("device:")[-1].split(":")[0] for device in strategy.extended.worker_devices}
        )
    of = f" of {counted(workers, 'worker')}" if workers > 1 else ""
    return f"{counted(replicas, 'replica')} on {'/'.join(kinds)}{of}"


def batch(dataset, model, last=0):
    """Images of a discriminator step, and the number of these in a training step, number `last`."""
    text = counted(dataset.batch_size, "image" if len(dataset.item_shape) > 1 else "point")
    if model.on_halves:
        training, validation = (counted(number, "batch", "batches") for number in model.batches_of(last))
        return f"{text}; of the training half {training}, of the validation half {validation} for each outer step"
    several = model.batches_per_step
    return text if several == 1 else f"{text}, {several} of such batches for each generator update"


def steps(run, start):
    """How long the run is."""
    batches = sum(run.model.batches_of(run.steps - 1))  # of the last: a search's first steps may take fewer
    images = run.dataset.batch_size * batches
    step = "outer step" if run.model.on_halves else "generator update"
    text = f"{counted(run.steps, step)}, each with {counted(images, 'image')}"
    if run.plan.seconds is not None:
        short = step.removeprefix("generator ")
        text = f"{run.plan.seconds:g} seconds of training, each {short} with {counted(images, 'image')}"
    else:
        passes = run.steps * images / run.dataset.num_examples
        text += f": {passes:,.0f} times all" if passes >= 1.5 else ""
    return f"{text}; goes on from {start:,}" if start else text


def evaluation(evaluator, every):
    """What evaluates the generator, or that nothing does."""
    if evaluator is None:
        return f"none (see Evaluator.features); losses are noted every {counted(every, 'update')}"
    evaluator = getattr(evaluator, "evaluator", evaluator)
    samples = counted(evaluator.num_samples, "sample")
    features = "images alone" if evaluator.of_images_alone else evaluator.features.name
    return f"{features}, {samples}, every {counted(every, 'update')}"


def checkpoints(run, every):
    """How often the run is saved, and the room on disk that takes."""
    kept, one = checkpoints_kept(run), checkpoint_size(run.model)
    room = f"each {bytes_text(one)}, up to {kept} stay: {bytes_text(kept * one)}"
    return f"every {counted(every, 'update')}, {room}"


def checkpoints_kept(run):
    """The most checkpoints that lie in the run's folder between two steps."""
    return run.checkpoints.keep + (run.evaluator is not None)  # and the best one


def checkpoint_size(model):
    """Bytes of the variables in one checkpoint of a model; its file is some kilobytes larger."""
    separate = {id(v) for v in model.per_replica_variables()}
    replicas = model.distribute_strategy.num_replicas_in_sync
    return sum(
        int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size * (replicas if id(v) in separate else 1)
        for v in checkpoint.variables_of(model).values()
    )


def full_disk_warning(run):
    """A line if the checkpoints of a run will not fit on its disk, or None."""
    one, there = checkpoint_size(run.model), len(run.checkpoints.steps())
    needed = one * max(checkpoints_kept(run) + 1 - there, 1)  # a new one is written before an old one goes
    free = shutil.disk_usage(run.folder).free
    if needed <= free:
        return None
    return (
        f"the checkpoints will need {bytes_text(needed)} more on the disk of {run.folder}, where {bytes_text(free)} "
        "are free; lower train.keep_checkpoints, or make room"
    )


def bytes_text(count):
    """A number of bytes as people say it: `94 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 1000 * size else f"{count / size:,.0f} {unit}"
    return f"{count} bytes"


WHAT_LIES_THERE = {
    "samples": "samples/ (pictures of what it makes, and real.png of what it learns from)",
    "metrics.jsonl": "metrics.jsonl",
    "checkpoints": "checkpoints/",
    "generator.keras": "generator.keras (the generator for Keras)",
    "export": "export/ (the same as a SavedModel)",
}


def measured(folder):
    """Whether `evaluate` alone has something to measure of a run: whether its last evaluation in training had.

    The duality gap is not of that: `evaluate` measures it if it is asked to.
    """
    rows = [row for row in files.JsonLines(Path(folder) / "metrics.jsonl").read() if made_in_training(row)]
    others = {*GAP_VALUES, STABILITY}
    return any("features" in row and not values_of(row).keys() <= others for row in rows[-1:])


def closing(folder, program, features=None):
    """What lies in the folder of a run that has ended, and what to do with it: two lines.

    Args:
        program: name of a command -> how to call it in a shell.
        features: what a run without an evaluator would be evaluated with, such as `@InceptionFeatures()`.
    """
    there = [text for name, text in WHAT_LIES_THERE.items() if (Path(folder) / name).exists()]
    images = f"{os.path.normpath(folder)}-images"
    run, images = (shlex.quote(f"--{flag}") for flag in (f"model_dir={folder}", f"output_dir={images}"))
    bound = f" --gin_param='Evaluator.features={features}'" if features else ""
    commands = f"{program('generate')} {run} {images}   or   {program('evaluate')} {run}{bound}"
    return f"done: {folder} holds {', '.join(there)}\nnext: {commands}"
