"""Compiled training steps of one kind, and the means of what steps log."""

import weakref

import tensorflow as tf


class Compiled:
    """A function of the data's iterator, compiled.

    TensorFlow looks up at every call what it has compiled for such arguments, which takes longer than a small step.
    That is asked here once for each iterator.
    """

    def __init__(self, function):
        self._function = tf.function(function, reduce_retracing=True, autograph=False)
        self._iterator, self._concrete = lambda: None, None

    def __call__(self, iterator):
        if self._iterator() is not iterator:
            self._concrete = self._function.get_concrete_function(iterator)
            self._iterator = weakref.ref(iterator)
        return self._concrete(iterator)


class StepLogs:
    """Means of the logs, each over the steps that have it.

    Keras takes note of dictionaries that are set on a model, at every step anew; of this object it takes none.

    Attributes:
        names: {kind of step: names of its logs, sorted}.
        last: {name: mean} of the steps that `record` was told last.
        counts: {name: steps} since `reset`.
    """

    def __init__(self):
        self.names, self.last = {}, {}
        self.reset()

    def reset(self):
        """An epoch begins."""
        self._sums, self.counts = {}, {}

    def record(self, totals):
        """Takes {kind: (the sums of its logs' values [len(names)], number of steps)}; returns means since `reset`."""
        sums, counts = {}, {}
        for kind, (total, count) in totals.items():
            for name, value in zip(self.names[kind], total.numpy(), strict=True):
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + count
        self.last = {name: float(sums[name] / counts[name]) for name in sums}
        for name in sums:
            self._sums[name] = self._sums.get(name, 0.0) + sums[name]
            self.counts[name] = self.counts.get(name, 0) + counts[name]
        return {name: float(self._sums[name] / self.counts[name]) for name in sorted(self._sums)}
