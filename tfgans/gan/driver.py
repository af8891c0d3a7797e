"""What runs a training step: the strategy, compilation, the step's randomness, and its logs."""

import zlib

import keras
import tensorflow as tf

from tfgans import distribute, environment, keras_internals, philox
from tfgans.config import ConfigError
from tfgans.gan import operation_gradients
from tfgans.gan.hooks import hook
from tfgans.gan.steps import KEPT_WHOLE, Looped, OneByOne, StepLogs, TracedOnce, counted

environment.check()  # of whoever has not come here through `tfgans.GAN`
operation_gradients.register()


@keras_internals.never_built_by_fit  # it would take a batch out of the data for that
class Driver(keras.Model):
    """A Keras model whose `fit` runs `train_step` under the strategy it was built in.

    Keras's own train function is replaced because it reduces logs per replica (which fails with several
    workers), draws a batch before training starts, and has one optimizer in mind.

    Randomness is a pure function of (seed, draw, purpose): `draws` counts the draws made so far and is saved
    with the model. Every replica draws the numbers of the whole global batch and keeps its own share, so a
    run does not depend on how many replicas share its batch. XLA's generator gives other numbers for the same
    seeds, so nothing is drawn inside what XLA compiles: a method draws in `draw_latents`, whose result the losses
    are handed as `fake`.

    Steps need not all be compiled alike: the host chooses by the step's number, before each, what is fixed in it
    (`step_variant`, `extra_updates`). The number is the saved one, so a resumed run goes on with the same choices.
    """

    variant, extras = (), ()

    def __init__(self, seed=0, **kwargs):
        if keras.config.image_data_format() != "channels_last":
            raise ConfigError("images are [N, H, W, C]: keras.config.set_image_data_format('channels_last')")
        super().__init__(**kwargs)
        self.seed = int(seed)
        self.draws = self.add_weight(
            name="draws", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False
        )
        self.use_xla = False
        self._xla_functions, self._inside_xla = {}, False
        self._traced = TracedOnce()
        self._logs = StepLogs()

    @property
    def step_logs(self):
        """`{name: mean}` of the logs of the last execution, over the steps that have it."""
        return self._logs.last

    @property
    def steps_made(self):
        """Training steps of the last execution: `steps_per_execution`, or fewer where the data ended."""
        return self._logs.steps

    @property
    @hook
    def batches_per_step(self):
        """Real batches that the data holds for one training step; methods that need more extend this."""
        return self.discriminator_steps + self.of_pairs

    @property
    @hook
    def on_halves(self):
        """Whether one half of the data trains weights, the other architectures, as in a search."""
        return False

    @hook
    def batches_of(self, step):
        """(training, validation) batches that step number `step` takes; the latter of a search's other half."""
        return self.batches_per_step, 0

    @hook
    def step_variant(self, step):
        """The kind of training step number `step`, counted from 0: a tuple that can be a dictionary's key.

        Each kind is compiled once. A method whose steps are of several kinds extends it,
        `(*super().step_variant(step), kind)`; `variant` holds the present one while a step is compiled or runs.
        """
        return ()

    @hook
    def extra_updates(self, step):
        """Names of the extra updates, beside the usual ones, that step number `step` makes: a tuple of strings.

        Methods extend it as they do `step_variant`; `extras` holds the present ones. What `xla` compiles does not
        depend on them, and is shared by steps with and without.
        """
        return ()

    @hook
    def unreached(self, steps):
        """What a run of so many updates never comes to, of what methods do by their count: a tuple of lines.

        Methods with a schedule of their own extend it.
        """
        return ()

    @hook
    def missing(self, drawn):
        """What a run lacks that begins with weights as they were drawn, `{part of carried_over: names}`: lines.

        Methods that build on what another run has learnt extend it. Returns: a tuple of strings.
        """
        return ()

    @hook
    def extras_of(self, network, extras):
        """Those of `extras` that concern an update of one network alone, `generator` or `discriminator`.

        Where the updates of a step are compiled one by one, as AlphaGAN's phases are, an update is compiled again for
        these alone.
        """
        return extras

    def choose_step(self, step):
        """Sets `variant` and `extras` for step number `step`; `fit` does so itself. Returns both."""
        return self.choose_kind(*self.kind_of(step))

    def kind_of(self, step):
        """`(variant, extras)` of step number `step`."""
        return tuple(self.step_variant(step)), tuple(self.extra_updates(step))

    def choose_kind(self, variant, extras):
        """Sets both, and returns them."""
        kind = variant, extras
        if kind != (self.variant, self.extras):  # Keras takes its time with whatever is set on a model
            self.variant, self.extras = kind
        return kind

    @hook
    def per_replica_variables(self):
        """Variables [n, ...] that differ between replicas; methods that have some extend this.

        Of each the rows are those of a replica's share of the global batch. They are saved for all replicas, and cut
        anew where a run goes on with another number of them.
        """
        return []

    def add_like(self, weight, name, dtype=None, value=None):
        """A weight of the model, of another's shape, that no optimizer moves: zeros, or a copy of `value`'s."""
        copy = self.add_weight(
            name=name,
            shape=weight.shape,
            dtype=dtype or weight.dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
        )
        if value is not None:
            copy.assign(tf.convert_to_tensor(value.value))
        return copy

    # Randomness

    def stream(self, purpose):
        """The seed [2] of one purpose at the present draw.

        Raises: RuntimeError inside a function that XLA compiles, where the numbers would be others, or that is called
            for each micro-batch, which would all have the same.
        """
        if self._inside_xla:
            raise RuntimeError(
                f"'{purpose}' is drawn inside a function that XLA compiles, or for a micro-batch: draw it before"
            )
        return tf.stack(
            [tf.constant(stream_hash(self.seed, purpose), tf.int64), tf.cast(self.draws.value, tf.int64)]
        )

    def random_normal(self, count, shape, purpose):
        """This replica's share, [count, *shape], of the global batch's standard normal numbers."""
        total = count * distribute.num_replicas()
        return self.own_rows(philox.normal([total, *shape], self.stream(purpose)), count)

    def random_uniform(self, count, shape, purpose, maxval=1.0, dtype=tf.float32):
        """Like `random_normal`, uniform in [0, maxval)."""
        total = count * distribute.num_replicas()
        return self.own_rows(philox.uniform([total, *shape], self.stream(purpose), maxval, dtype), count)

    def own_rows(self, values, count):
        """This replica's `count` rows of what is there for the global batch."""
        if distribute.num_replicas() == 1:
            return values
        start = distribute.replica_id() * count
        return values[start : start + count]

    # Compilation

    @hook
    def xla(self, function):
        """`function`, compiled by XLA if `compile(jit_compile=True)` asked for it.

        Only what computes gradients or images is compiled this way: XLA cannot compile a whole replicated step. Where
        updates are accumulated and XLA is off, it is a function of TensorFlow's of its own, so that several
        micro-batches cost the tracing of one.
        """
        if self.run_eagerly or not (self.use_xla or self.accumulation_steps > 1):
            return function
        key = (function.__func__, function.__self__) if hasattr(function, "__func__") else (function,)
        # methods may have other networks take the places of these for a while, within one kind of step
        key = (*key, self.generator, self.discriminator, self.variant)
        if key not in self._xla_functions:
            # Written out in the step, as TensorFlow otherwise does it, micro-batches take half more memory.
            how = {"jit_compile": True} if self.use_xla else KEPT_WHOLE
            self._xla_functions[key] = tf.function(self._without_draws(function), autograph=False, **how)
        return self._xla_functions[key]

    def _without_draws(self, function):
        def guarded(*arguments):
            self._inside_xla = True
            try:
                return function(*arguments)
            finally:
                self._inside_xla = False

        return guarded

    @hook
    def traced_once(self, method):
        """A method of this model that a step calls several times with tensors alike, traced for one call of them.

        It must do the same in all calls: whatever differs has to be a tensor or a variable. Where replicas exchange
        something in it, which TensorFlow (2.21) refuses in a function within theirs, it is the method as it is, and
        so it is in a step that is not compiled.
        """
        if not tf.inside_function() or tf.distribute.has_strategy():
            return method
        return self._traced.function_of(method)

    @hook
    def make_train_function(self, force=False):
        """The function `fit` calls: `steps_per_execution` training steps, then the mean of their logs."""
        if self.train_function is not None and not force:
            return self.train_function
        keep_order()
        run = self.runner()

        def train_function(iterator):
            first, totals = int(self.step.numpy()), []
            for kind, count in counted(map(self.kind_of, range(first, first + self.steps_per_execution))):
                total, done = run(kind, count, iterator)
                if done:
                    totals.append((kind, total, done))
                if done < count:
                    break
            if not totals:
                raise self.end_of_data()
            return self._logs.record(totals, sum(done for *_, done in totals))

        self.train_function = train_function
        return train_function

    def runner(self):
        """A function `run(kind, count, iterator, takes_data=True)` that chooses a kind and makes so many steps of it.

        It gives the sum of the values of what they log and how many there were, fewer than `count` at the data's end.
        """
        loops = self.steps_per_execution > 1 and self.distribute_strategy.num_replicas_in_sync == 1
        ready = {}

        def run(kind, count, iterator, takes_data=True):
            self.choose_kind(*kind)
            if kind not in ready:
                step = self._replicated_step(kind)
                if loops and not self.run_eagerly:
                    ready[kind] = Looped(step, takes_data)
                else:
                    ready[kind] = OneByOne(step, takes_data, compiled=not self.run_eagerly)
            return ready[kind](iterator, count)

        return run

    def end_of_data(self):
        """What to raise where the data has no batch left: the epoch's end, or an error if it had no step at all."""
        if self._logs.counts:
            return StopIteration()
        batches = sum(self.batches_of(int(self.step.numpy()))) // self.batches_per_step
        if batches > 1:
            return ConfigError(
                f"an epoch has no training step: one takes {batches} batches, and the data has fewer that are large "
                "enough"
            )
        return ConfigError(
            "an epoch has no training step: the data has ended, or no batch has as many images as one takes, "
            f"{self.intake().told_least}"
        )

    def _replicated_step(self, kind):
        """`train_step` on every replica, as a function of a batch that gives the values of its logs."""
        strategy = self.distribute_strategy

        def replica_step(data):
            # Without this, counters move in the step that finds the data at its end.
            with tf.control_dependencies(tf.nest.flatten(data)):
                logs = self.train_step(data)
            names = self._logs.names[kind] = tuple(sorted(logs))
            return tf.stack([tf.cast(logs[name], tf.float32) for name in names])

        def step(data):
            values = strategy.run(replica_step, args=(data,))
            return strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)

        return step

    def reset_metrics(self):
        """Forgets the running means of the logs; Keras calls it at the start of every epoch."""
        self._logs.reset()


def keep_order():
    """Stops TensorFlow from letting reads of weights overtake the updates before them.

    Its dependency optimizer (seen in 2.21, together with the arithmetic one) removes control edges between
    an update and a later read, so that on a busy machine a second discriminator step or a penalty now and then
    sees weights of the wrong update, and runs do not repeat. The option holds for the whole process.
    """
    tf.config.optimizer.set_experimental_options({"dependency_optimization": False})


def mean_logs(logs):
    """The mean of each name over those of some dictionaries that have it."""
    values = {}
    for log in logs:
        for name, value in log.items():
            values.setdefault(name, []).append(value)
    return {name: sum(each) / len(each) for name, each in values.items()}


def stream_hash(seed, purpose):
    """A number for one purpose under one seed: the key of its random numbers."""
    return zlib.crc32(f"{seed}/{purpose}".encode()) + (seed << 32 & 0x7FFFFFFF00000000)
