"""How training steps are traced and run, singly or many of a kind in a loop on the device, and the means of logs."""

import itertools
import weakref

import tensorflow as tf

# Of a `tf.function`: TensorFlow does not write it out where it is called from another one.
KEPT_WHOLE = {"experimental_attributes": {"_noinline": True}}


class Compiled:
    """A function of the data's iterator, and of tensors, compiled.

    TensorFlow looks up at every call what it has compiled for such arguments, which takes longer than a small step.
    That is asked here once for each iterator.
    """

    def __init__(self, function):
        self._function = tf.function(function, reduce_retracing=True, autograph=False)
        self._iterator, self._concrete = lambda: None, None

    def __call__(self, iterator, *tensors):
        if self._iterator() is not iterator:
            self._concrete = self._function.get_concrete_function(iterator, *tensors)
            self._iterator = weakref.ref(iterator)
        return self._concrete(iterator, *tensors)


class OneByOne:
    """Steps that the host calls one by one.

    Args:
        step: function of a batch that gives the values [K] of the step's logs.
        takes_data: whether steps take batches; if not, `step` is called with ().
        compiled: whether steps are compiled.
    """

    def __init__(self, step, takes_data=True, compiled=True):
        def one(iterator):
            return step(iterator.get_next() if takes_data else ())

        self._one = Compiled(one) if compiled else one

    def __call__(self, iterator, count):
        """Runs `count` steps, fewer if the data ends. Returns: (sum of the values, number of steps)."""
        total = 0.0
        for done in range(count):
            try:
                total = total + self._one(iterator)
            except (tf.errors.OutOfRangeError, StopIteration):
                return total, done
        return total, count


class Looped:
    """As `OneByOne`, but a loop on the device: the host calls once, however many steps it asks for.

    The step is a function of TensorFlow's of its own, so that its numbers are mostly those of single steps, to the
    bit: of StyleGAN2's and ProGAN's networks, FastGAN's step and AlphaGAN's search, for instance, TensorFlow orders
    some sums otherwise there. Single steps as such a function have the same bits, too, and compile by half longer. It
    is for one replica: with several, TensorFlow (2.21) fails in such a loop.
    """

    def __init__(self, step, takes_data=True):
        self._step = tf.function(step, reduce_retracing=True, autograph=False, **KEPT_WHOLE)
        self._takes_data, self._compiled = takes_data, Compiled(self._loop)

    def __call__(self, iterator, count):
        total, done = self._compiled(iterator, tf.constant(count))
        return total, int(done)

    def _loop(self, iterator, count):
        step = self._step.get_concrete_function(iterator.element_spec if self._takes_data else ())

        def more(total, done, ended):
            return (done < count) & ~ended

        def body(total, done, ended):
            if not self._takes_data:
                return total + step(), done + 1, ended
            batch = iterator.get_next_as_optional()

            def move():
                return total + step(batch.get_value()), done + 1, False

            return tf.cond(batch.has_value(), move, lambda: (total, done, True))

        start = tf.zeros(step.output_shapes), tf.constant(0), tf.constant(False)
        return tf.while_loop(more, body, start, parallel_iterations=1)[:2]


class TracedOnce:
    """Functions that are traced within the tracing of a step; those of the newest step alone are kept."""

    def __init__(self):
        self._graph, self._functions = lambda: None, {}

    def function_of(self, method):
        """The function of a method in the graph that is being made."""
        graph = tf.compat.v1.get_default_graph()
        if self._graph() is not graph:
            self._graph, self._functions = weakref.ref(graph), {}
        name = method.__name__
        if name not in self._functions:
            self._functions[name] = tf.function(method, autograph=False, **KEPT_WHOLE)
        return self._functions[name]


def counted(kinds):
    """(kind, how many of it follow each other) of steps' kinds, in their order."""
    for kind, group in itertools.groupby(kinds):
        yield kind, sum(1 for _ in group)


class StepLogs:
    """Means of the logs, each over the steps that have it.

    Keras takes note of dictionaries that are set on a model, at every step anew; of this object it takes none.

    Attributes:
        names: {kind of step: names of its logs, sorted}.
        last: {name: mean} of the steps that `record` was told last.
        counts: {name: steps} since `reset`.
        steps: how many training steps `record` was told last.
    """

    def __init__(self):
        self.names, self.last, self.steps = {}, {}, 0
        self.reset()

    def reset(self):
        """An epoch begins."""
        self._sums, self.counts = {}, {}

    def record(self, totals, steps):
        """Takes what an execution of so many training steps gave; returns means since `reset`.

        Args: totals: [(kind, the sums of its logs' values [len(names)], number of values)].
        """
        self.steps = steps
        sums, counts = {}, {}
        for kind, total, count in totals:
            for name, value in zip(self.names[kind], total.numpy(), strict=True):
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + count
        self.last = {name: float(sums[name] / counts[name]) for name in sums}
        for name in sums:
            self._sums[name] = self._sums.get(name, 0.0) + sums[name]
            self.counts[name] = self.counts.get(name, 0) + counts[name]
        return {name: float(self._sums[name] / self.counts[name]) for name in sorted(self._sums)}
