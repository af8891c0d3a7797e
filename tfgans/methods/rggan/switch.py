"""When RG-GAN's networks are sparse: as long as evaluations get better."""

import numpy as np

WINDOW = (0.1, 0.1, 0.2, 0.2, 0.4)  # weights of the last evaluations, the newest last


def sparse_next(distances):
    """Whether the networks are sparse until the next evaluation, by the distances of all so far, the newest last.

    They are while there are fewer than five; then as long as the last is no greater than the weighted mean of the
    last five, of which it is one.
    """
    if len(distances) < len(WINDOW):
        return True
    last = [float(distance) for distance in distances[-len(WINDOW) :]]
    return sum(weight * distance for weight, distance in zip(WINDOW, last, strict=True)) >= last[-1]


class Switch:
    """`sparse_next` as state of a model: the last five distances, in its weights.

    Args:
        model, name: whose weights, and the first part of their names.
    """

    def __init__(self, model, name):
        options = dict(initializer="zeros", trainable=False, autocast=False)
        self.distances = model.add_weight(
            name=f"{name}_distances", shape=(len(WINDOW),), dtype="float64", **options
        )
        self.count, self.last_step = (
            model.add_weight(name=f"{name}_{part}", shape=(), dtype="int64", **options)
            for part in ("evaluations", "evaluated_step")
        )

    def record(self, step, distance):
        """Takes note of an evaluation after `step` updates, once."""
        if step <= int(self.last_step.numpy()) or not np.isfinite(distance):
            return
        self.distances.assign([*self.distances.numpy()[1:], distance])
        self.count.assign_add(1)
        self.last_step.assign(step)

    def is_sparse(self):
        """Whether the next steps are sparse."""
        count = int(self.count.numpy())
        return count < len(WINDOW) or sparse_next(self.distances.numpy())
