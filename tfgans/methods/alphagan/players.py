"""Networks that take the place of a GAN's own for a while, so that losses and updates are written once."""

from tfgans.layers.scopes import inside, local

NAMES = ("generator", "discriminator", "optimizer", "discriminator_optimizer")


class Players:
    """A GAN whose `generator`, `discriminator` and their optimizers may be others inside `playing`."""

    def playing(self, **players):
        """Inside it, in this thread, `self.discriminator` and so on are those given."""
        return inside(players=_players() | players)

    @staticmethod
    def is_played(name):
        """Whether another takes the place of the own `generator`, `discriminator`, ..."""
        return name in _players()


def _players():
    return getattr(local, "players", {})


def _player(name):
    own = f"own_{name}"

    def get(self):
        return _players().get(name) or getattr(self, own, None)

    return property(get, lambda self, value: setattr(self, own, value))


for _name in NAMES:
    setattr(Players, _name, _player(_name))
