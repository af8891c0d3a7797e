"""The explorer: a page on this machine that shows what a run's generator makes, as sliders are moved."""

from pathlib import Path

from tfgans import files, progress
from tfgans.run.explore.server import Server
from tfgans.run.explore.settings import Settings
from tfgans.run.explore.studio import FOLDER, Studio
from tfgans.run.look import Which
from tfgans.run.signals import Keeper


class _Saved(Keeper):
    """Says at the end where pictures were saved."""

    def __init__(self, studio):
        self.studio = studio

    def standing(self):
        saved = len(self.studio.saved_names())
        return f"{saved} saved picture{'s' * (saved != 1)} in {self.studio.folder / FOLDER}" if saved else ""


def explore(model_dir, host="127.0.0.1", port=8765, told=print, **which):
    """Serves the page until a signal ends the process.

    Args:
        model_dir: the run's folder; pictures are saved in `explored` there. Those of a file, `ffhq.pkl`, are saved
            in `ffhq/explored` beside it.
        host: the address to serve at. Others than this machine's own can be reached by others, who then need the
            token that is told.
        port: 0 takes one that is free.
        told: called with the page's address once it is there.
        which: see `Which`.
    Raises: ConfigError if there is no such run, it makes points, or the address cannot be served at.
    """
    server = Server(host, port)  # first, as a port that is taken is soon found out
    model, step = Which(**which).load_alone(model_dir)
    place = Path(files.expanded(model_dir))
    with progress.phase("finding directions, and making the first pictures"):
        studio = Studio(model, step, place.with_suffix("") if place.is_file() else place)
        studio.picture(Settings())
        studio.sheet(Settings(), 0)
    with _Saved(studio):
        told(server.address)
        server.serve(studio)
