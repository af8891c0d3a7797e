"""What users of Keras try on any model: what a `GAN` has no answer to says in one line what to do instead."""

from tfgans.config import ConfigError
from tfgans.gan.fitting.callbacks import SAVING

EVALUATING = (
    "a GAN has no loss that says how good its images are: tfgans.Evaluator(...)(gan.stream_of(seed), "
    "tfgans.Dataset(...)) measures them"
)
COPYING = "a GAN is not made from a configuration: build its networks and GAN(...) again, and load_weights"


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
