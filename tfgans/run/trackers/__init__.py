"""What follows a run from elsewhere: `train.trackers = [@WandbTracker(), @MLflowTracker()]`, besides TensorBoard.

A tracker gets the configuration, the points of the training curves, every row of `metrics.jsonl` and every picture in
`samples`. `trackers.json` in the run's folder keeps the id under which each knows the run and how far it has been
told, so that a run that goes on is the same one there, with no row twice, and one that was trained without a tracker
for a while has it told what the folder holds.
"""

import abc
import collections
import functools
import json
import logging
import time
from pathlib import Path

from tfgans import config, files, readers
from tfgans.config import ConfigError
from tfgans.run.signals import Interrupted

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 600.0  # after a failure; a service that is away is asked for long each time
_MOST_WAITING = 10_000


class Tracker(abc.ABC):
    """Base of trackers, also of one's own: a subclass with `@configurable` can be bound.

    All steps are generator updates done.
    """

    @abc.abstractmethod
    def start(self, folder, known, configuration):
        """Begins a run, or takes it up; raises what it likes if it cannot.

        Args:
            folder: the run's, a Path.
            known: the id that an earlier `start` gave, or None.
            configuration: {"Name.parameter": text}, as in `operative.gin`.
        Returns: the id, a text.
        """

    @abc.abstractmethod
    def numbers(self, step, values):
        """Takes numbers of a step, {"train/d/adversarial": 0.5, "eval/fid": 12.0, ...}, floats or integers."""

    @abc.abstractmethod
    def picture(self, step, name, path):
        """Takes a PNG, `samples`, `raw_samples` or `real`."""

    def finish(self, outcome):  # noqa: B027 - there may be nothing to do
        """The process ends its training: `finished`, `stopped` (it may go on) or `failed`."""


class Trackers:
    """All trackers of a run; what they cannot take is logged and costs the run nothing.

    Args:
        trackers: of the configuration.
        folder: the run's.
    Raises: ConfigError if one is no tracker, or one is there twice.
    """

    def __init__(self, trackers, folder):
        self.folder = Path(folder)
        names = [type(tracker).__name__ for tracker in trackers]
        for tracker, name in zip(trackers, names, strict=True):
            if not isinstance(tracker, Tracker):
                raise ConfigError(
                    f"train.trackers holds trackers, such as @WandbTracker(). Received: {tracker!r:.80}"
                )
            if names.count(name) > 1:
                raise ConfigError(f"train.trackers holds {name} more than once")
        self._lines = [_Line(tracker, name) for tracker, name in zip(trackers, names, strict=True)]
        self._path, self._kept = self.folder / "trackers.json", {}

    def open(self, stack, configuration, rows):
        """Starts them until `stack` ends, and tells them what the folder holds and they do not know.

        Args:
            configuration: the operative one, text.
            rows: of the evaluations in training.
        Raises: ConfigError, before anything is trained, if one cannot start.
        """
        if not self._lines:
            return
        self._kept = self._read()
        stack.push(self._finish)
        for line in self._lines:
            line.start(self.folder, self._kept.get(line.name, {}), config.bindings_of(configuration))
        self._note()
        for row in rows:
            self.row(row["step"], row)
        for name, part in (("samples", ""), ("raw_samples", "raw_")):
            for path in sorted((self.folder / "samples").glob(f"{part}step_*.png")):
                self.picture(files.step_of(path.name.removeprefix(part)), name, path)

    def curves(self, step, values):
        """A point of every training curve, {tag: float}."""
        self._send("curves", step, {f"train/{name}": value for name, value in values.items()})

    def row(self, step, row):
        """The numbers of an evaluation."""
        kinds = (int, float)
        numbers = {k: v for k, v in row.items() if isinstance(v, kinds) and not isinstance(v, bool)}
        self._send("rows", step, {f"eval/{k}": v for k, v in numbers.items() if k != "step"})

    def picture(self, step, name, path):
        """A picture that lies in the run's folder."""
        for line in self._lines:
            line.send(name, step, functools.partial(line.tracker.picture, step, name, Path(path)))
        self._note()

    def _send(self, kind, step, values):
        for line in self._lines:
            line.send(kind, step, functools.partial(line.tracker.numbers, step, values))
        self._note()

    def _read(self):
        if not self._path.exists():
            return {}
        what = "what trackers were told (without the file, they begin anew)"
        kept = readers.read_json(self._path, what)
        with readers.reading(self._path, what):
            for name, about in kept.items():
                if not isinstance(about["id"], str) or any(step + 0 < 0 for step in about["told"].values()):
                    raise ValueError(f"{name} has no id and steps")
        return kept

    def _note(self):
        """Writes down how far each has come; others that the run had stay noted."""
        if not any(line.changed for line in self._lines):
            return
        self._kept |= {line.name: {"id": line.id, "told": line.told} for line in self._lines if line.id}
        files.write_text(self._path, json.dumps(self._kept, indent=1) + "\n")
        for line in self._lines:
            line.changed = False

    def _finish(self, kind, error, trace):
        outcome = "finished" if kind is None else "failed"
        if kind is not None and issubclass(kind, (Interrupted, KeyboardInterrupt)):
            outcome = "stopped"
        for line in self._lines:
            line.finish(outcome)
        self._note()


class _Line:
    """One tracker, what it was told, and what waits because it failed."""

    def __init__(self, tracker, name):
        self.tracker, self.name, self.id, self.told, self.changed = tracker, name, None, {}, False
        self._waiting, self._last, self._again = collections.deque(maxlen=_MOST_WAITING), {}, 0.0

    def start(self, folder, kept, configuration):
        known = kept.get("id")
        try:
            self.id = str(self.tracker.start(folder, known, configuration))
        except ConfigError:
            raise
        except Exception as error:  # of whatever kind the library has
            raise ConfigError(f"{self.name} cannot start: {readers.reason(error)}") from error
        self.told = dict(kept["told"]) if known == self.id else {}
        self._last, self.changed = dict(self.told), True

    def send(self, kind, step, action):
        """Calls `action()` unless the tracker was told of this kind as far as `step`."""
        if self.id is None or step <= self._last.get(kind, -1):
            return
        self._last[kind] = step
        self._waiting.append((kind, step, action))
        if time.monotonic() >= self._again:
            self._flush()

    def _flush(self):
        while self._waiting:
            kind, step, action = self._waiting[0]
            try:
                action()
            except Exception as error:  # of whatever kind the library has; training is worth more
                logger.warning("%s: %s; what it misses is sent later", self.name, readers.reason(error))
                self._again = time.monotonic() + _RETRY_SECONDS
                return
            self._waiting.popleft()
            self.told[kind], self.changed = step, True

    def finish(self, outcome):
        if self.id is None:
            return
        self._flush()
        if self._waiting:
            logger.warning("%s was not told of %d points and pictures", self.name, len(self._waiting))
        try:
            self.tracker.finish(outcome)
        except Exception as error:
            logger.warning("%s: %s", self.name, readers.reason(error))
