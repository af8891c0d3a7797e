"""Networks that take the place of a GAN's own for a while, so that losses and updates are written once."""

import contextlib
import threading

_local = threading.local()  # MirroredStrategy runs each replica in a thread of its own
NAMES = ("generator", "discriminator", "optimizer", "discriminator_optimizer")


class Players:
    """A GAN whose `generator`, `discriminator` and their optimizers may be others inside `playing`."""

    @contextlib.contextmanager
    def playing(self, **players):
        """Inside it, in this thread, `self.discriminator` and so on are those given."""
        before = getattr(_local, "players", {})
        _local.players = before | players
        try:
            yield
        finally:
            _local.players = before

    @staticmethod
    def is_played(name):
        """Whether another takes the place of the own `generator`, `discriminator`, ..."""
        return name in getattr(_local, "players", {})


def _player(name):
    own = f"own_{name}"

    def get(self):
        return getattr(_local, "players", {}).get(name) or getattr(self, own, None)

    return property(get, lambda self, value: setattr(self, own, value))


for _name in NAMES:
    setattr(Players, _name, _player(_name))
