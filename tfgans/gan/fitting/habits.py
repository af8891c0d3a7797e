"""What users of Keras try on any model: what a `GAN` has no answer to says in one line what to do instead."""

from tfgans.config import ConfigError
from tfgans.gan.fitting.callbacks import SAVING

EVALUATING = (
    "a GAN has no loss that says how good its images are: tfgans.Evaluator(...)(gan.stream_of(seed), "
    "tfgans.Dataset(...)) measures them"
)
COPYING = "a GAN is not made from a configuration: build its networks and GAN(...) again, and load_weights"
_SEED = "seed"  # and a number: names in a file of weights


class Habits:
    """The part of `GAN` that answers where Keras's own methods would fail late or mislead.

    `predict`, a call, `summary`, `save_weights` and `load_weights` are Keras's. A call and `predict` give the floats
    of the generator that is trained; `generate` gives images, of its average if there is one.
    """

    def compute_output_shape(self, input_shape):
        """The shape of the generator's output: for that of latents, or those of latents and labels."""
        latents = input_shape[0] if isinstance(input_shape[0], (tuple, list)) else input_shape
        return (latents[0], *self.sample_shape)

    def save(self, *args, **kwargs):
        """Raises ConfigError: see `save_generator` and `save_weights`."""
        raise ConfigError(SAVING)

    def load_weights(self, *args, **kwargs):
        """Keras's. Raises: ConfigError if what a method keeps for each image of a batch awaits the batch's size."""
        self.require_places()
        return super().load_weights(*args, **kwargs)

    def save_own_variables(self, store):
        """Keras's, and the seeds of layers that draw, such as dropout, which Keras's files of weights leave out."""
        super().save_own_variables(store)
        for index, state in enumerate(self._seeds()):
            store[f"{_SEED}{index}"] = state

    def load_own_variables(self, store):
        """Keras's, with the seeds; files of earlier versions have none. Raises: ConfigError if others are there."""
        found = {key: store[key] for key in list(store.keys())}  # Keras's store is not iterated over itself
        kept = {key: found.pop(key) for key in list(found) if key.startswith(_SEED)}
        super().load_own_variables(found)
        seeds = self._seeds()
        if kept and len(kept) != len(seeds):
            raise ConfigError(
                f"the file has {len(kept)} seeds of layers that draw, the networks {len(seeds)}"
            )
        for index, state in enumerate(seeds[: len(kept)]):
            state.assign(kept[f"{_SEED}{index}"])

    def _seeds(self):
        """The states of the layers' random numbers, which are no weights."""
        weights = {id(v) for v in self.weights}
        return [v for v in self.variables if id(v) not in weights]

    def evaluate(self, *args, **kwargs):
        """Raises ConfigError: see `tfgans.Evaluator`."""
        raise ConfigError(EVALUATING)

    def test_on_batch(self, *args, **kwargs):
        """Raises ConfigError, as `evaluate` does."""
        raise ConfigError(EVALUATING)

    def get_config(self):
        """Raises ConfigError; with it `from_config`, `to_json` and `keras.models.clone_model`."""
        raise ConfigError(f"{COPYING}. {SAVING[0].upper()}{SAVING[1:]}")

    @classmethod
    def from_config(cls, config, *args, **kwargs):
        """Raises ConfigError, as `get_config` does."""
        raise ConfigError(COPYING)
