"""Keras's own callbacks on a model with two optimizers and no loss: made to fit, or refused before training."""

import copy

import keras

from tfgans import schedules
from tfgans.config import ConfigError

_RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
_MONITORS = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)
SAVING = (
    "a GAN is not saved as one Keras model: gan.save_generator(path) writes the generator, gan.save_weights(path) "
    "everything that training holds"
)


def prepared(gan, callbacks, own):
    """Callbacks as `fit` hands them to Keras, with one of its own in front.

    Raises: ConfigError naming one that cannot do on a GAN what it is for.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in callbacks.callbacks:
            _check(gan, callback)
            if isinstance(callback, _RATES):
                raise ConfigError(f"give fit {type(callback).__name__} in a list: it is for both optimizers")
        return keras.callbacks.CallbackList([own, *callbacks.callbacks], add_history=True, model=gan)
    if callbacks is None or isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [] if callbacks is None else [callbacks]
    found = [own]
    for callback in callbacks:
        _check(gan, callback)
        found.append(callback)
        if isinstance(callback, _RATES):
            found.append(DiscriminatorRate(callback))
    return found


def _check(gan, callback):
    name = type(callback).__name__
    if not isinstance(callback, keras.callbacks.Callback):
        raise ConfigError(f"fit: callbacks are Keras's, or subclasses of them. Received: {name}")
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_weights_only:
        raise ConfigError(f"ModelCheckpoint needs save_weights_only=True: {SAVING}")
    if isinstance(callback, keras.callbacks.TerminateOnNaN):
        raise ConfigError(
            f"{name} watches 'loss', which a GAN does not have: use tfgans.run.callbacks.StopWhenDiverged()"
        )
    if isinstance(callback, keras.callbacks.SwapEMAWeights):
        raise ConfigError(f"{name} swaps the average of an optimizer: GAN.ema_decay averages the generator")
    watches = isinstance(callback, _MONITORS) and getattr(callback, "save_best_only", True)
    if watches and (callback.monitor == "loss" or callback.monitor.startswith("val_")):
        raise ConfigError(
            f"{name} watches {callback.monitor!r}, which a GAN does not have: monitor one of its logs, such as "
            "'d/adversarial'"
        )
    if watches and callback.mode == "auto" and callback.monitor_op is None:
        raise ConfigError(
            f"{name}: is more or less of {callback.monitor!r} better? Give mode='max' or mode='min'"
        )
    if isinstance(callback, _RATES):
        if gan.sets_learning_rates:
            raise ConfigError(f"{name} would have no effect: the model sets its learning rates at every step")
        both = {"generator": gan.optimizer, "discriminator": gan.discriminator_optimizer}
        schedules.check_settable(name, both)


class FollowLabels(keras.callbacks.Callback):
    """Has fakes follow the labels of data that is no array, once a whole pass of it has been trained on.

    Args: intake: of the data. steps_per_epoch: what `fit` was given.
    """

    def __init__(self, intake, steps_per_epoch):
        super().__init__()
        self.intake, self.steps_per_epoch = intake, steps_per_epoch

    def on_train_begin(self, logs=None):
        self.begin, self.done = int(self.model.step.numpy()), bool(self.intake.label_counts.any())

    def on_epoch_end(self, epoch, logs=None):
        steps, kept = int(self.model.step.numpy()) - self.begin, self.intake.kept
        # Batches may be read ahead: a pass is over for certain when a step of the next one was made.
        whole = self.intake.passes > 1 and steps > kept if self.steps_per_epoch else steps == kept
        if not self.done and whole and self.intake.label_counts.any():
            self.done = True
            self.model.follow_labels(self.intake.label_counts)
            self.model.make_train_function()


class DiscriminatorRate(keras.callbacks.Callback):
    """Does to the discriminator's learning rate what a callback does to the generator's: it runs a copy of that.

    Args: callback: one that knows the model's `optimizer` alone.
    """

    def __init__(self, callback):
        super().__init__()
        self.copy = copy.copy(callback)
        self.copy.verbose = 0

    def set_model(self, model):
        super().set_model(model)
        self.copy.set_model(_View(model, model.discriminator_optimizer))

    def on_train_begin(self, logs=None):
        self.copy.on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.copy.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        own = dict(logs or {})
        self.copy.on_epoch_end(epoch, own)
        if logs is not None:
            logs["discriminator_learning_rate"] = own["learning_rate"]


class _View:
    """A model with another optimizer in the place of the generator's."""

    def __init__(self, model, optimizer):
        self._model, self.optimizer = model, optimizer

    def __getattr__(self, name):
        return getattr(self._model, name)
