"""Which generator of a run is looked at, and which of its pictures."""

import dataclasses
import math

import numpy as np

from tfgans import config, memory, progress
from tfgans.config import ConfigError
from tfgans.gan import langevin
from tfgans.gan.codes import BLOCK
from tfgans.run import build, latents
from tfgans.run.samples import SampleFolder

_MOST = 1_000_000  # pictures of a call
_COPIES = 6  # of a film's pictures: as made, in rows, there and back, and as the encoders take them


def refuse_too_many(model, count, pixels=1):
    """Raises ConfigError if so many pictures, which are all held at a time, do not fit into the machine's memory.

    Args: pixels: of the picture that is held, for one of the model's.
    """
    codes = model.latent_dim * max(1, model.style_slots or 0)
    needed = count * (_COPIES * math.prod(model.sample_shape) * pixels + 4 * codes)
    if needed > memory.machine_bytes():
        size = "x".join(map(str, model.sample_shape))
        raise ConfigError(
            f"{count:,} pictures of {size} at a time need {needed / 1e9:,.1f} GB of memory, and this machine has "
            f"{memory.machine_bytes() / 1e9:,.1f}: ask for fewer, or for fewer frames"
        )


@dataclasses.dataclass(frozen=True)
class Which:
    """Which generator of a run: see `build.load` and `GAN.use_standing_statistics`."""

    step: str | None = None
    gin_params: tuple = ()
    part: str | None = None
    weights: str | None = None
    standing_statistics: bool = False

    def load(self, model_dir):
        """`(model, step)`, see `build.load`."""
        model, step = build.load(model_dir, self.gin_params, self.step, self.part, self.weights)
        if self.standing_statistics:
            model.use_standing_statistics()
        return model, step

    def load_alone(self, model_dir):
        """`load`, where nothing but the model is built: a binding that is of no use to it is refused."""
        found = self.load(model_dir)
        config.refuse_unused(self.gin_params)
        return found


@dataclasses.dataclass(frozen=True)
class Look(Which):
    """The options that all that makes pictures of a run share, besides those of `Which`.

    Attributes:
        truncation, truncated_slots, seed: see `Generation`.
        overwrite: see `SampleFolder`.
    """

    truncation: float | None = None
    truncated_slots: int | None = None
    seed: int = 0
    overwrite: bool = False

    def open(self, model_dir, output_dir):
        """`(SampleFolder, model)`; the folder is refused, if at all, before the model is loaded."""
        folder = SampleFolder(output_dir, self.overwrite)
        model, _ = self.load_alone(model_dir)
        return folder, model

    def truncating(self):
        """Those of the options that say how to truncate."""
        return {name: getattr(self, name) for name in ("truncation", "truncated_slots")}

    def drawing(self):
        """Those of the options that the functions of the model take, such as `GAN.generate`."""
        return self.truncating() | {"seed": self.seed}


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Which pictures of a run: the first ones of the stream, others of it by their seeds, or those of a file.

    Attributes:
        count: how many of the first.
        seeds: numbers in the stream, in place of `count`, see `GAN.codes_at`.
        latents: a file that `run.latents` wrote, in place of both.
        labels: classes to go round, by name or index: by the seed, or by the place in the file.
        langevin_steps, langevin_rate: how far their latents are moved, see `langevin.driven`.
    """

    count: int = 64
    seeds: tuple | None = None
    latents: str | None = None
    labels: tuple | None = None
    langevin_steps: int = 0
    langevin_rate: float = 0.01

    def __post_init__(self):
        config.check_count("--num_images", self.count)
        if self.count > _MOST:
            raise ConfigError(f"--num_images is at most {_MOST:,}. Received: {self.count}")
        if self.seeds is not None and not len(self.seeds):
            raise ConfigError("--seeds names no picture")

    def codes(self, model, look, style_layer=None, truncates=True):
        """Their `Codes`. Raises: ConfigError, one line, for what the model or the file does not have.

        Args:
            look: a `Look`. truncates: whether its psi is applied here, so that the codes are in w.
        """
        codes = self._at_first(model, look, style_layer, truncates)
        if not self.langevin_steps:
            return codes
        batches = -(-len(codes) // BLOCK)
        with progress.Bar("moving the latents", batches * self.langevin_steps, "step") as bar:
            how = (self.langevin_steps, self.langevin_rate, look.seed)
            return langevin.driven(model, codes, *how, done=bar.update)

    def _at_first(self, model, look, style_layer, truncates):
        if self.latents is not None:
            return self._of_file(model)
        seeds = np.arange(self.count) if self.seeds is None else np.asarray(self.seeds)
        options = look.drawing()
        if not truncates and model.style_slots:
            options |= {"truncation": None, "truncated_slots": None}
        return model.codes_at(seeds, self.labels, style_layer=style_layer, **options)

    def _of_file(self, model):
        codes = latents.load(self.latents, model)
        if self.labels is None:
            return codes
        chosen = model.class_indices(list(self.labels))
        if codes.space != "z":
            raise ConfigError(f"--labels: {self.latents} has styles, which have no class of their own")
        return dataclasses.replace(codes, labels=chosen[np.arange(len(codes)) % len(chosen)])
