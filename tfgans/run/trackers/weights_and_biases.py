"""Weights & Biases (wandb.ai) as a tracker, online or offline."""

import os
import secrets

from tfgans.config import OneOf, Several, configurable
from tfgans.run.trackers import Tracker
from tfgans.run.trackers.library import library

_STEP = "generator_updates"  # the axis of every chart: wandb's own counts calls


@configurable
class WandbTracker(Tracker):
    """A run of Weights & Biases; needs `pip install 'tfgans[wandb]'` and, online, `wandb login`.

    Its local files lie in `wandb` in the run's folder, or where `WANDB_DIR` says. An offline run that was taken up
    has several parts there of one id; `wandb sync` sends them in their order.

    Args:
        project: its project.
        entity: user or team; None: the account's own.
        name: of the run; None: that of its folder.
        group: joins runs, such as seeds of one configuration.
        tags: of the run.
        mode: `online`, `offline` or `disabled`; None: what `WANDB_MODE` says, else online.
    Raises: ConfigError if wandb is not installed.
    """

    def __init__(
        self,
        project: str = "tfgans",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: Several(str) = (),
        mode: OneOf("online", "offline", "disabled") | None = None,
    ):
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        self._wandb = library("wandb", "WandbTracker")
        self._options = {"project": project, "entity": entity, "group": group, "tags": list(tags)}
        self._name, self._mode, self._run = name, mode, None

    def start(self, folder, known, configuration):
        known = known or secrets.token_hex(4)
        settings = self._wandb.Settings(silent=True, console="off", disable_git=True)
        self._run = self._wandb.init(
            **self._options,
            id=known,
            resume="allow",
            name=self._name or folder.resolve().name,
            mode=self._mode,
            dir=os.environ.get("WANDB_DIR") or str(folder),
            settings=settings,
        )
        self._run.config.update(configuration, allow_val_change=True)
        self._run.define_metric(_STEP, hidden=True)
        self._run.define_metric("*", step_metric=_STEP)
        return known

    def numbers(self, step, values):
        self._run.log({_STEP: step} | values)

    def picture(self, step, name, path):
        self._run.log({_STEP: step, name: self._wandb.Image(str(path))})

    def finish(self, outcome):
        self._run.finish(exit_code=0 if outcome == "finished" else 1)
