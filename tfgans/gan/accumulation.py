"""Gradient accumulation: an update whose batch goes through the networks in micro-batches, one after the other."""

import tensorflow as tf

from tfgans.config import ConfigError, check_count
from tfgans.gan.hooks import hook
from tfgans.layers.state import copied_state


class Accumulation:
    """The part of `GAN` that computes means over the batch as means over `accumulation_steps` micro-batches.

    Memory is then that of the activations of one micro-batch, and the update that of the whole batch, to rounding:
    the data give the whole batch, everything random is drawn for it and cut, gradients reach the optimizers once. So
    counts, schedules, averages and what methods do before and after updates know nothing of micro-batches.
    State that forwards in training move goes on from where it was before the first micro-batch in each of them:
    spectral vectors therefore move as with the whole batch, and statistics by the mean of the micro-batches' moves,
    as they do on replicas. What a layer makes of the samples of its batch it makes of a micro-batch's: batch norms
    and minibatch deviations are the exception, as they are on replicas.
    """

    accumulation_steps = 1

    def accumulate(self, steps):
        """Takes the option of `compile`. Raises: ConfigError if something is of the whole batch."""
        check_count("compile: accumulation_steps", steps)
        both = self.whole_batch_options("discriminator") + self.whole_batch_options("generator")
        whole = both if steps > 1 else ()
        if whole:
            raise ConfigError(
                f"{whole[0]}: a loss of the whole batch has no parts for accumulation_steps = {steps}"
            )
        self.accumulation_steps = steps

    @hook
    def whole_batch_options(self, name):
        """Names of options by which losses of the "generator" or "discriminator" are no means over images.

        Methods that have such extend this.
        """
        return ()

    @hook
    def shared_entries(self):
        """Of batches' entries that all images share, the names before a slash; methods that have such extend this."""
        return ()

    @hook
    def networks_with_state(self):
        """The networks whose state forwards may move; methods that have more extend this."""
        return [self.generator, self.discriminator]

    def check_shares(self, count):
        """Refuses a discriminator step's `count` real images, over all replicas, that cannot be cut."""
        shares = self.distribute_strategy.num_replicas_in_sync * self.accumulation_steps
        if self.accumulation_steps > 1 and count % shares:
            raise ConfigError(
                f"a batch of {count} images cannot be cut into replicas x accumulation_steps = "
                f"{shares // self.accumulation_steps} x {self.accumulation_steps} micro-batches"
            )

    def in_micro_batches(self, function, *given, rows=0, moves=True, count=None):
        """What `function(*given)` gives, compiled as `xla` does it, for one micro-batch after the other.

        Args:
            function: returns one output or a tuple of them.
            given: dictionaries of batches, and tensors, of which each micro-batch has its rows; numbers and lists,
                which it has whole.
            rows: so many outputs, the last, have a row for each image and are joined. The others are means over
                images, and the mean of them is taken; gradients of embeddings become dense.
            moves: False leaves the networks' state as it was before, so that what follows draws the same dropout.
            count: of micro-batches, in place of `accumulation_steps`.
        Raises: ConfigError if the rows cannot be cut.
        """
        function = self.xla(function)
        if self.accumulation_steps == 1:
            return function(*given)
        # An unrolled loop: replicas cannot exchange anything within a `tf.while_loop`. What is computed in it is
        # traced once (see `xla`).
        function, count = self._without_draws(function), count or self.accumulation_steps
        state, total, joined = _State(self.networks_with_state()), None, []
        for index in range(count):
            micro_batch = [self._rows_of(value, index, count) for value in given]
            found = function(*(_after((total, joined), micro_batch) if index else micro_batch))
            found = found if isinstance(found, tuple) else (found,)
            means = tf.nest.map_structure(_dense, found[: len(found) - rows])
            total = means if total is None else tf.nest.map_structure(tf.add, total, means)
            joined.append(found[len(found) - rows :])
            state.go_back(last=index == count - 1)
        state.settle(count, moves)
        means = tf.nest.map_structure(lambda x: x / count, total)
        outputs = *means, *tf.nest.map_structure(lambda *parts: tf.concat(parts, 0), *joined)
        return outputs if len(outputs) > 1 else outputs[0]

    def _rows_of(self, value, index, count):
        """Of a batch or tensor the rows of micro-batch `index` of `count`; anything else as it is."""
        if isinstance(value, dict):
            shared = self.shared_entries()
            return {
                name: x if name.partition("/")[0] in shared else self._rows_of(x, index, count)
                for name, x in value.items()
            }
        if not tf.is_tensor(value) or value.shape.rank == 0:
            return value
        if (value.shape[0] or 0) % count:
            raise ConfigError(
                f"{value.shape[0]} images cannot be cut into accumulation_steps = {count} micro-batches"
            )
        size = (value.shape[0] or tf.shape(value)[0]) // count
        return value[index * size : (index + 1) * size]


class _State:
    """What forwards move in networks: found by each micro-batch as by the first, moved by the mean of their moves.

    State that layers say is copied (`copied_state`), not averaged, is as the last has it: all move it alike.
    Integers, such as the counters of Keras's dropout, go on from micro-batch to micro-batch, and are what they were
    where nothing is to move.
    """

    def __init__(self, networks):
        copied = {id(v) for network in networks for v in copied_state(network)}
        found = {id(v): v for network in networks for v in network.non_trainable_variables}
        floats = {key for key, v in found.items() if v.dtype.startswith(("float", "bfloat"))}
        self.variables = [v for key, v in found.items() if key in floats]
        self.is_copied = [id(v) in copied for v in self.variables]
        self.start = self._read()
        self.counters = [(v, tf.identity(v.value)) for key, v in found.items() if key not in floats]
        self.moves = [tf.zeros_like(value) for value in self.start]

    def _read(self):
        return [tf.convert_to_tensor(v.value) for v in self.variables]

    def _write(self, values):
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def go_back(self, last):
        """Takes note of a micro-batch's moves and, unless it is the last, undoes them."""
        self.moves = [m + n - s for m, n, s in zip(self.moves, self._read(), self.start, strict=True)]
        if not last:
            self._write(self.start)

    def settle(self, count, moves):
        """Makes the moves of all, if they are to be."""
        if not moves:
            self._write(self.start)
            for variable, value in self.counters:
                variable.assign(value)
            return
        parts = zip(self._read(), self.start, self.moves, self.is_copied, strict=True)
        self._write([new if copied else start + move / count for new, start, move, copied in parts])


def _after(done, batches):
    """The batches, as soon as `done` is computed: micro-batches at once would need the memory of the whole batch."""
    with tf.control_dependencies(tf.nest.flatten(done)):
        return tf.nest.map_structure(lambda x: tf.identity(x) if tf.is_tensor(x) else x, batches)


def _dense(tensor):
    """The tensor, of floats; that of an embedding's gradient."""
    tensor = tf.convert_to_tensor(tensor)
    return tensor if tensor.dtype.is_floating else tf.cast(tensor, tf.float32)
