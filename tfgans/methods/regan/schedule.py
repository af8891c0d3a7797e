"""When Re-GAN prunes and when it grows: a function of the number of generator updates done."""

import dataclasses

from tfgans.config import check_count

WARM_UP, SPARSE, DENSE = "warm_up", "sparse", "dense"


@dataclasses.dataclass(frozen=True)
class PhaseSchedule:
    """A dense warm-up, then sparse and dense phases in turn, as Re-GAN's code counts them.

    All lengths are in units of `unit` generator updates: 1 counts iterations, as the code's StyleGAN2 folder does,
    the updates of an epoch count epochs, as its SNGAN, ProGAN and AutoGAN folders do. Steps are counted from 0: the
    code's iteration i is step i - 1.

    Args:
        warm_up: units before the first sparse phase, at least 0.
        sparse: units of a sparse phase, at least 1.
        dense: units of a dense phase; 0 never grows.
        unit: generator updates in a unit, at least 1.
        late_start: the first sparse phase has one unit more, at its beginning, which keeps the warm-up's learning
            rate (the StyleGAN2 folder, whose counter starts at 0 and not at 1).
    Raises: ConfigError if a length leaves its range.
    """

    warm_up: int
    sparse: int
    dense: int
    unit: int = 1
    late_start: bool = False

    def __post_init__(self):
        check_count("ReGAN.warm_up_length", self.warm_up, least=0)
        check_count("ReGAN.sparse_length", self.sparse)
        check_count("ReGAN.dense_length", self.dense, least=0)
        check_count("ReGAN.length_unit", self.unit)

    def phase(self, step):
        """The phase that training step number `step` is in."""
        return self._phases(step)[0]

    def rate_phase(self, step):
        """The phase whose learning rate holds in training step number `step`."""
        return self._phases(step)[1]

    @property
    def first_sparse(self):
        """The number of the first training step that is in a sparse phase."""
        return self.warm_up * self.unit

    @property
    def first_dense(self):
        """The number of the first training step that is in the warm-up or in a dense phase; None if none ever is."""
        if self.warm_up:
            return 0
        return (self.sparse + self.late_start) * self.unit if self.dense else None

    def begins(self, step):
        """Whether step number `step` is the first of its phase."""
        return step == 0 or self.phase(step) != self.phase(step - 1)

    def begins_unit(self, step):
        """Whether step number `step` is the first of its unit."""
        return step % self.unit == 0

    def _phases(self, step):
        units = step // self.unit - self.warm_up
        if units < 0:
            return WARM_UP, WARM_UP
        if self.late_start:
            if units == 0:
                return SPARSE, WARM_UP
            units -= 1
        phase = SPARSE if units % (self.sparse + self.dense) < self.sparse else DENSE
        return phase, phase


@dataclasses.dataclass(frozen=True)
class Present:
    """What pruning does in one training step; an entry of `GAN.extra_updates`.

    Attributes: phase; rate_factor, on the pruned networks' learning rates; ended, the phase that ended right before
    the step, or None; derives, whether it finds the masks; regrows, whether masked entries get first values.
    """

    phase: str
    rate_factor: float = 1.0
    ended: str | None = None
    derives: bool = False
    regrows: bool = False
