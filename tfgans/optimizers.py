"""PyTorch's Adam and RMSprop, optimizers that begin again within a run, and copies of optimizers."""

import numbers
import types

import keras
import numpy as np
import tensorflow as tf

from tfgans import config, keras_internals
from tfgans.config import (
    AtLeast,
    ConfigError,
    Count,
    Instance,
    NotNegative,
    Positive,
    Share,
    Within,
    configurable,
    kind_of,
)

_RATE = NotNegative | Instance("a schedule of keras.optimizers.schedules")
_SHARE = Within("[0, 1)")
# What the settings of Keras's optimizers may be.
KINDS = {
    "learning_rate": _RATE,
    "epsilon": Positive,
    "weight_decay": NotNegative | None,
    "ema_momentum": Share,
    "ema_overwrite_frequency": Count | None,
    "loss_scale_factor": Positive | None,
    "gradient_accumulation_steps": AtLeast(2) | None,
    "name": kind_of(str | None),
    **dict.fromkeys(("beta_1", "beta_2", "rho", "momentum"), _SHARE),
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), Positive | None),
    **dict.fromkeys(("amsgrad", "use_ema", "centered", "nesterov"), kind_of(bool)),
}

for _optimizer in ("Adam", "AdamW", "RMSprop", "SGD"):
    _own = {"weight_decay": NotNegative} if _optimizer == "AdamW" else {}
    config.external(getattr(keras.optimizers, _optimizer), _optimizer, "keras", KINDS | _own)


class _TorchOptimizer(keras.optimizers.Optimizer):
    """What PyTorch's optimizers have in common: weight decay is added to the gradient, after any clipping.

    Their state has the weights' dtype, but at least float32.
    """

    _applied = None  # its `numbers`, {(dtype, graph): numbers}, are those of the `apply` that is going on

    def __init__(self, learning_rate, epsilon, weight_decay, **kwargs):
        for name, value in kwargs.items():
            if name in KINDS:
                KINDS[name].check(f"{type(self).__name__}.{name}", value)
        super().__init__(learning_rate, **kwargs)  # Keras's own weight decay is another: it stays off
        self.epsilon, self.added_decay = epsilon, weight_decay or 0.0

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self._build_state(variables)

    def apply(self, grads, trainable_variables=None):
        # Under a strategy a variable is updated on devices of its own, where its numbers are to be, too. An object
        # holds them, as Keras would save a dictionary with the weights.
        self._applied = None if tf.distribute.has_strategy() else types.SimpleNamespace(numbers={})
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._applied = None

    def add_variable(self, shape, initializer="zeros", dtype=None, **options):
        wide = "float32" if dtype in ("float16", "bfloat16") else dtype
        return super().add_variable(shape, initializer, wide, **options)

    def _add_state(self, variables, name):
        return self.add_optimizer_variables(variables, name)

    def _of(self, states, variable):
        """Of `_add_state`'s variables the one that belongs to a weight."""
        return states[keras_internals.index_in(self, variable)]

    def _numbers_of(self, dtype, learning_rate):
        """`_numbers(dtype, learning_rate)`, made once for all variables of an `apply`, so that graphs are smaller."""
        made = {} if self._applied is None else self._applied.numbers
        key = dtype, tf.compat.v1.get_default_graph()  # a branch of a condition has a graph of its own
        if key not in made:
            made[key] = [_as(dtype, number) for number in self._numbers(dtype, learning_rate)]
        return made[key]

    def _whole_gradient(self, gradient, variable, dtype):
        """The gradient, with weight decay, as a dense tensor of the state's dtype."""
        gradient = tf.cast(tf.convert_to_tensor(gradient), dtype)
        if self.added_decay and keras_internals.is_decayed(self, variable):
            gradient += self.added_decay * tf.cast(variable, dtype)
        return gradient

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon, "weight_decay": self.added_decay}


@keras.saving.register_keras_serializable(package="tfgans")
@configurable
class TorchAdam(_TorchOptimizer):
    """Adam (Kingma and Ba, 2015, Algorithm 1) with epsilon where PyTorch has it.

    m and v being the means of the gradient and of its square, a weight moves by

        -learning_rate * m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    `keras.optimizers.Adam`, like TensorFlow 1 and Chainer, adds epsilon to sqrt(v) itself, which makes it larger by
    1 / sqrt(1 - beta_2^t): 32 times at the first update with a beta_2 of 0.999.

    Departure: betas are rounded to the dtype of the means everywhere; PyTorch corrects biases by unrounded ones.

    Args:
        learning_rate, beta_1, beta_2, epsilon: as in `torch.optim.Adam`, with its defaults.
        amsgrad: divide by the largest v so far.
        weight_decay: the weight times this is added to its gradient, as `torch.optim.Adam` has it; Keras's Adam
            and AdamW shrink the weight itself.
        kwargs: of `keras.optimizers.Optimizer`, such as `clipnorm`.
    Raises: ConfigError if a setting is not of its kind.
    """

    def __init__(
        self,
        learning_rate: _RATE = 0.001,
        beta_1: _SHARE = 0.9,
        beta_2: _SHARE = 0.999,
        epsilon: NotNegative = 1e-8,
        amsgrad: bool = False,
        weight_decay: NotNegative = 0.0,
        **kwargs,
    ):
        super().__init__(learning_rate, epsilon, weight_decay, **kwargs)
        self.beta_1, self.beta_2, self.amsgrad = beta_1, beta_2, amsgrad

    def _build_state(self, variables):
        self._means, self._squares = self._add_state(variables, ["momentum", "velocity"])
        if self.amsgrad:
            self._largest = self._add_state(variables, "velocity_hat")

    def update_step(self, gradient, variable, learning_rate):
        mean, square = (self._of(states, variable) for states in (self._means, self._squares))
        gradient = self._whole_gradient(gradient, variable, mean.dtype)
        beta_1, beta_2, rate, epsilon, none = self._numbers_of(mean.dtype, learning_rate)
        if not self.amsgrad and variable.dtype == mean.dtype:
            # The same in one pass over the weights. Its own bias corrections lose digits where a beta is near 1:
            # `rate` and `epsilon` have them already.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=none,
                beta2_power=none,
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=gradient,
                use_locking=True,
            )
            return
        m, v = tf.convert_to_tensor(mean), tf.convert_to_tensor(square)
        m += (gradient - m) * (1.0 - beta_1)
        v += (tf.square(gradient) - v) * (1.0 - beta_2)
        self.assign(mean, m)
        self.assign(square, v)
        if self.amsgrad:
            largest = self._of(self._largest, variable)
            v = tf.maximum(largest, v)
            self.assign(largest, v)
        self.assign_sub(variable, rate * m / (tf.sqrt(v) + epsilon))

    def _numbers(self, dtype, learning_rate):
        """Both betas; the rate and epsilon that go with means whose biases are not corrected; 0."""
        beta_1, beta_2 = _as(dtype, self.beta_1), _as(dtype, self._present_beta_2())
        root = tf.sqrt(_missing(beta_2, self.iterations))
        rate = tf.cast(learning_rate, dtype) * root / _missing(beta_1, self.iterations)
        return beta_1, beta_2, rate, self.epsilon * root, 0.0

    def _present_beta_2(self):
        return self.beta_2

    def get_config(self):
        settings = {"beta_1": self.beta_1, "beta_2": self.beta_2, "amsgrad": self.amsgrad}
        return super().get_config() | settings


@keras.saving.register_keras_serializable(package="tfgans")
@configurable
class MovingAdam(TorchAdam):
    """`TorchAdam` whose beta_2 is a weight that others move while it trains (R3GAN; Huang et al. 2024).

    The new share of the squares and the correction of their bias, 1 - beta_2^t, are by the present beta_2, as in
    PyTorch when that setting is changed. Left alone it is `TorchAdam`.

    Args: as `TorchAdam`; beta_2 is the first.
    Weight: `moving_beta_2`, float64, rounded in each update as `TorchAdam` rounds its own; there once it is built.
    """

    def _build_state(self, variables):
        super()._build_state(variables)
        self.moving_beta_2 = self.add_variable(
            (),
            keras.initializers.Constant(self.beta_2),
            "float64",
            name="moving_beta_2",
            aggregation="only_first_replica",
        )

    def _present_beta_2(self):
        return tf.convert_to_tensor(self.moving_beta_2)


@keras.saving.register_keras_serializable(package="tfgans")
@configurable
class TorchRMSprop(_TorchOptimizer):
    """RMSprop (Tieleman and Hinton, 2012) with epsilon where PyTorch has it.

    v being the mean of the squared gradient g, a weight moves by -learning_rate * g / (sqrt(v) + epsilon).
    `keras.optimizers.RMSprop`, like TensorFlow 1, divides by sqrt(v + epsilon): an epsilon of 1e-8 counts there like
    a gradient of 1e-4, here like one of 1e-8.

    Args:
        learning_rate, epsilon, momentum, centered: as in `torch.optim.RMSprop`, with its defaults. The momentum's
            buffer is without the learning rate, which in Keras is in it. `centered` takes the square of the mean
            gradient off v; should rounding make that negative, it counts as 0.
        rho: share of the old v in the new one, PyTorch's alpha.
        weight_decay: the weight times this is added to its gradient.
        kwargs: of `keras.optimizers.Optimizer`, such as `clipnorm`.
    Raises: ConfigError if a setting is not of its kind.
    """

    def __init__(
        self,
        learning_rate: _RATE = 0.01,
        rho: _SHARE = 0.99,
        momentum: _SHARE = 0.0,
        epsilon: NotNegative = 1e-8,
        centered: bool = False,
        weight_decay: NotNegative = 0.0,
        **kwargs,
    ):
        super().__init__(learning_rate, epsilon, weight_decay, **kwargs)
        self.rho, self.momentum, self.centered = rho, momentum, centered

    def _build_state(self, variables):
        self._squares = self._add_state(variables, "velocity")
        if self.momentum:
            self._buffers = self._add_state(variables, "momentum")
        if self.centered:
            self._means = self._add_state(variables, "average_gradient")

    def update_step(self, gradient, variable, learning_rate):
        square = self._of(self._squares, variable)
        v = tf.convert_to_tensor(square)
        gradient = self._whole_gradient(gradient, variable, v.dtype)
        old, new, momentum, epsilon, rate = self._numbers_of(v.dtype, learning_rate)
        v = old * v + new * tf.square(gradient)
        self.assign(square, v)
        if self.centered:
            mean = self._of(self._means, variable)
            m = old * tf.convert_to_tensor(mean) + new * gradient
            self.assign(mean, m)
            v = tf.maximum(v - tf.square(m), 0.0)
        move = gradient / (tf.sqrt(v) + epsilon)
        if self.momentum:
            buffer = self._of(self._buffers, variable)
            move = momentum * tf.convert_to_tensor(buffer) + move
            self.assign(buffer, move)
        self.assign_sub(variable, rate * move)

    def _numbers(self, dtype, learning_rate):
        """The shares of the old and the new in the means, momentum, epsilon, the rate."""
        return self.rho, 1.0 - self.rho, self.momentum, self.epsilon, learning_rate

    def get_config(self):
        settings = {"rho": self.rho, "momentum": self.momentum, "centered": self.centered}
        return super().get_config() | settings


def default_optimizer():
    """Adam as most of the published methods use it."""
    return TorchAdam(2e-4, beta_1=0.0, beta_2=0.9)


def _as(dtype, number):
    """A tensor; a number of Python's is not rounded to float32 on its way, as `tf.cast` does."""
    return tf.constant(number, dtype) if isinstance(number, numbers.Real) else tf.cast(number, dtype)


def _missing(beta, updates):
    """1 - beta^(updates + 1) in beta's dtype, without the rounding of a beta close to 1."""
    step = tf.cast(updates, tf.float64) + 1.0
    return tf.cast(-tf.math.expm1(step * tf.math.log(tf.cast(beta, tf.float64))), beta.dtype)


def same_kind(optimizer, variables, rate):
    """A new optimizer with the settings of another, built for `variables`; its learning rate is `rate`.

    One with a schedule of Keras's keeps that.
    """
    settings = optimizer.get_config()
    if isinstance(settings["learning_rate"], float):
        settings["learning_rate"] = rate
    copy = type(optimizer).from_config(settings)
    copy.build(variables)
    return copy


def beginnings(method, optimizers):
    """What `begin_again` needs of new optimizers, by name: the number that each of their variables is filled with.

    Raises: ConfigError naming the method and the variable, if one does not begin filled with a number.
    """
    return {name: [_constant(method, name, v) for v in _state(o)] for name, o in optimizers.items()}


def begin_again(optimizer, numbers):
    """Makes an optimizer's state new, all but its learning rate; inside a step, too."""
    for variable, number in zip(_state(optimizer), numbers, strict=True):
        variable.assign(tf.fill(variable.shape, tf.cast(number, variable.dtype)))


def _state(optimizer):
    return [v for v in optimizer.variables if v is not optimizer.learning_rate]


def _constant(method, name, variable):
    values = np.unique(keras.ops.convert_to_numpy(variable))
    if len(values) != 1:
        raise ConfigError(
            f"{method} starts optimizers anew, but {variable.path} of the {name}'s does not begin with one number"
        )
    return values[0]
