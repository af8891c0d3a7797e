"""How training steps of one kind are run, singly or many in a loop on the device, and the means of their logs."""

import weakref

import tensorflow as tf


class Eager:
    """Steps that are not compiled.

    Args:
        step: function of a batch that gives the values [K] of the step's logs.
        takes_data: whether steps take batches; if not, `step` is called with ().
    """

    def __init__(self, step, takes_data=True):
        self._step, self._takes_data = step, takes_data

    def __call__(self, iterator, count):
        """Runs `count` steps, fewer if the data ends. Returns: (sum of the values, number of steps)."""
        total, done = 0.0, 0
        for _ in range(count):
            try:
                total = total + self._one(iterator)
            except (tf.errors.OutOfRangeError, StopIteration):
                break
            done += 1
        return total, done

    def _one(self, iterator):
        return self._step(iterator.get_next() if self._takes_data else ())


class Compiled(Eager):
    """Steps that are compiled, and called one by one: as `Eager`.

    TensorFlow looks up at every call what it has compiled for such arguments, which takes longer than a small step.
    That is asked here once for each iterator.
    """

    def __init__(self, step, takes_data=True):
        super().__init__(step, takes_data)
        self._function = tf.function(super()._one, reduce_retracing=True, autograph=False)
        self._iterator, self._concrete = lambda: None, None

    def _one(self, iterator):
        return self._concrete_for(iterator)(iterator)

    def _concrete_for(self, iterator, *others):
        if self._iterator() is not iterator:
            self._concrete = self._function.get_concrete_function(iterator, *others)
            self._iterator = weakref.ref(iterator)
        return self._concrete


class Looped(Compiled):
    """As `Compiled`, but a loop on the device: the host calls once, however many steps it asks for.

    The step is a function of TensorFlow's of its own, compiled as it is where it is called alone, so that its numbers
    are the same to the bit. Of one replica: loops over replicated steps are not known to TensorFlow.
    """

    def __init__(self, step, takes_data=True):
        super().__init__(step, takes_data)
        kept_whole = {"experimental_attributes": {"_noinline": True}}
        self._inner = tf.function(step, reduce_retracing=True, autograph=False, **kept_whole)
        self._function = tf.function(self._loop, reduce_retracing=True, autograph=False)

    def __call__(self, iterator, count):
        count = tf.constant(count)
        total, done = self._concrete_for(iterator, count)(iterator, count)
        return total, int(done)

    def _loop(self, iterator, count):
        spec = iterator.element_spec if self._takes_data else ()
        step = self._inner.get_concrete_function(spec)

        def body(total, done, _):
            if not self._takes_data:
                return total + step(), done + 1, True
            batch = iterator.get_next_as_optional()
            moved = lambda: (total + step(batch.get_value()), done + 1, True)  # noqa: E731
            return tf.cond(batch.has_value(), moved, lambda: (total, done, False))

        start = tf.zeros(step.output_shapes), tf.constant(0), tf.constant(True)
        more = lambda total, done, going: going & (done < count)  # noqa: E731
        return tf.while_loop(more, body, start, parallel_iterations=1)[:2]


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
