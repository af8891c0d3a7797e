"""`samples/real.png`: training images as the networks see them, laid out as the samples are."""

import numpy as np
import tensorflow as tf
from PIL import Image

from tfgans import pictures
from tfgans.data.scaling import to_uint8

_MOST_READ = 4096  # training images, to find those of rare classes among


def draw(run, step):
    """Writes the picture of a `training.Run` unless it is there, and shows it in TensorBoard as `real`.

    Args:
        step: updates done; TensorBoard's events of earlier steps are there.
    """
    path, data = run.folder / "samples" / "real.png", run.labelled_data()
    picture = page(
        run.examples(), data.num_examples, run.model.num_classes, run.output.draw.count, data.modes
    )
    same = _is(path, picture)
    if not same:
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures.save_png(path, picture)
    if not same or step == 0:
        with run.output.writer.as_default(step=step):
            tf.summary.image("real", picture[None])
        run.output.writer.flush()
    # Also of what lies there already: a tracker that came later has not been told of it.
    run.output.trackers.picture(0 if same else step, "real", path)


def page(batches, num_examples, num_classes, count, modes=None):
    """The picture of the first training images, uint8 [H, W, C]; they are cut and mirrored as they are trained on.

    Args:
        batches: dataset of {"images": [discriminator_steps, n, ...], "labels"}, as `Dataset.batches` makes it.
        num_examples: different ones; what comes behind them is the same again, also within a step.
        num_classes: of the model; then the layout is that of the samples, and the places of a class with too few
            images among the first 4,096 stay white.
        count: images in a sample grid. modes: of a 2-D mixture.
    """
    shape = batches.element_spec["images"].shape[2:]
    count, classes, columns = pictures.layout(count, num_classes, points=len(shape) == 1)
    found = np.full((count, *shape), 255, np.float32 if len(shape) == 1 else np.uint8)
    free = {None: list(range(count))}
    if classes is not None:
        free = {number: np.flatnonzero(np.resize(classes, count) == number).tolist() for number in classes}
    seen = 0
    for batch in batches:
        items, labels = _items(batch, classes is not None, num_examples - seen)
        for item, label in zip(items, labels, strict=True):
            if free.get(label):
                found[free[label].pop(0)] = item
        seen += len(items)
        if not any(free.values()) or seen + len(items) > min(_MOST_READ, num_examples):
            break  # the next batch is of the second epoch, and has the same images again
    if classes is None:
        found = found[: count - len(free[None])]
    return pictures.page(found, columns, modes, label="real")


def _items(batch, labelled, most):
    """(uint8 images or float points [n, ...], the label of each or None) of a training step, the first `most`."""
    items = batch["images"] if batch["images"].shape.rank == 3 else to_uint8(batch["images"])
    items = items.numpy().reshape(-1, *items.shape[2:])[:most]
    return items, batch["labels"].numpy().ravel().tolist()[:most] if labelled else [None] * len(items)


def _is(path, picture):
    try:
        with Image.open(path) as image:
            found = np.asarray(image)
    except (OSError, SyntaxError, ValueError):  # none, or a damaged one
        return False
    return np.array_equal(found, picture[..., 0] if picture.shape[-1] == 1 else picture)
