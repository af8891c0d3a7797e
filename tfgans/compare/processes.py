"""One process a run: starting them, some at a time, and noting how each ended."""

import concurrent.futures
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tfgans import checkpoint, files, launchers, progress, readers
from tfgans.compare import collect, named_files
from tfgans.compare.plan import folder_name
from tfgans.config import ConfigError
from tfgans.run import signals

logger = logging.getLogger(__name__)

_DIVERGED, _REFUSED = 3, 2  # exit codes of `train`
_STAMP = ("configuration", "outcome", "message")  # what is noted of a run that has ended
# Of the exit codes of runs that have ended; after 0 the folder says whether there is what it should.
_OUTCOMES = {0: None, _DIVERGED: "diverged"}


class Run:
    """One configuration with one seed: its folder, and what became of it."""

    def __init__(self, output_dir, configuration, seed):
        self.configuration, self.seed = configuration, seed
        self.folder = Path(output_dir) / folder_name(configuration.label) / f"seed_{seed}"
        self.log, self.stamp = self.folder.with_suffix(".log"), self.folder.with_suffix(".json")
        self.name = f"{configuration.label}, seed {seed}"
        self.outcome = self.message = None
        self.refused = False

    def is_done(self):
        """Whether there is nothing to run: an earlier call finished it, with the same configuration.

        A run whose configuration names files that say something else now is refused, as a folder of another
        configuration is: its values are not those of what is compared.
        """
        if not self.stamp.exists():
            return False
        try:
            stamp = readers.read_json(self.stamp, "how a run ended")
            with readers.reading(self.stamp, "how a run ended"):
                configuration, outcome, message = (stamp[name] for name in _STAMP)
                if outcome not in _OUTCOMES.values():
                    raise ValueError(f"outcome is {outcome!r}")
                edited = named_files.changed(stamp.get("contents", {}), self.configuration.contents)
        except ConfigError as error:
            logger.warning("%s; it runs again", error)
            return False
        if configuration != self.configuration.digest():
            return False
        if not self.has_ended(outcome):
            logger.info(
                "%s: %s is not what a run leaves that has ended; it runs again", self.name, self.folder
            )
            return False
        self.outcome, self.message = outcome, message
        if edited is not None:
            self.outcome, self.refused = "failed", True
            self.message = (
                f"{edited} says something else now than when {self.folder} was trained: choose another --output_dir, "
                "or remove that folder"
            )
        return True

    def refuse_if_trained(self):
        """Raises ConfigError if another process trains it: the one of an earlier call lives on if that was killed."""
        if (self.folder / "train.lock").exists():
            with checkpoint.Lock(self.folder):
                pass

    def has_ended(self, outcome):
        """Whether the folder has what a run leaves that ended so: one that diverged no generator."""
        if outcome is not None:
            return (self.folder / "operative.gin").exists()
        return collect.has_finished(self.folder)

    def command(self):
        """The process that trains it."""
        return [sys.executable, "-m", "tfgans", "train", *self.configuration.flags(self.seed, self.folder)]

    def ended(self, code):
        """Takes note of how its process ended; what the same command would only repeat is kept."""
        self.message = _reason(code, self.log)
        self.outcome = _OUTCOMES.get(code, "failed")
        self.refused = code == _REFUSED
        if code in _OUTCOMES:
            stamp = dict(zip(_STAMP, (self.configuration.digest(), self.outcome, self.message), strict=True))
            stamp["contents"] = self.configuration.contents
            files.write_text(self.stamp, json.dumps(stamp) + "\n")

    def progress(self):
        """How far its process says it is, such as `45%`."""
        if not self.log.exists():
            return "starts"
        with open(self.log, "rb") as file:
            file.seek(max(0, self.log.stat().st_size - 2000))
            text = file.read().decode(errors="replace")
        found = re.findall(r"training: +(\d+)%|training: (\d+)step \[", text)
        percent, count = found[-1] if found else ("", "")
        before = "compiles" if "compiling" in text else "starts"
        return f"{percent}%" if percent else (f"step {count}" if count else before)

    def facts(self, output_dir):
        """What `collect.read_run` gives."""
        return collect.read_run(self.folder, output_dir, self.seed, self.outcome, self.message)


class Drawing:
    """The pictures of a finished run, drawn by `evaluate --pictures`; what `Runner` takes in place of a `Run`."""

    def __init__(self, run):
        self.folder, self.name, self.message = run.folder, run.name, None
        self.log = run.folder.with_suffix(".pictures.log")

    def is_done(self):
        """Whether the last evaluation has pictures."""
        return collect.read_run(self.folder, self.folder)["drawn"] is not None

    def refuse_if_trained(self):
        """Nothing: the run has finished."""

    def command(self):
        """The process that draws them."""
        return [sys.executable, "-m", "tfgans", "evaluate", f"--model_dir={self.folder}", "--pictures"]

    def ended(self, code):
        """Takes note of how its process ended."""
        self.message = _reason(code, self.log)

    def progress(self):
        """What it does, for the bar."""
        return "evaluates"


class Runner(signals.Keeper):
    """Trains the runs that are missing, some at a time, and says how far it is.

    Raises: ConfigError if another process trains one of them.
    """

    def __init__(self, runs, jobs, doing="comparing"):
        self.missing = [run for run in runs if not run.is_done()]
        for run in self.missing:
            run.refuse_if_trained()
        self.done, self.jobs = len(runs) - len(self.missing), jobs
        self.at_once = min(jobs, len(self.missing))
        self.processes, self.lock, self.doing = {}, threading.Lock(), doing
        self.broken = False  # something else than a run failed, such as the disk: no more are begun

    def train(self):
        """Returns when all have ended. Raises `signals.Interrupted` after a signal, when they have saved."""
        if not self.missing:
            return
        total = self.done + len(self.missing)
        with (
            self,
            concurrent.futures.ThreadPoolExecutor(self.jobs) as pool,
            progress.Bar(self.doing, total, "run", self.done) as bar,
        ):
            waiting = {pool.submit(self._train, run): run for run in self.missing}
            try:
                self._watch(waiting, bar)
            except BaseException:
                self.broken = True
                with self.lock:  # none is in the middle of starting
                    self._end()
                raise
        if self.received is not None:
            raise signals.Interrupted(self.received)

    def _watch(self, waiting, bar):
        """Returns when all `waiting` have ended, {future: run}; what one of them raises ends all."""
        while waiting:
            ended, _ = concurrent.futures.wait(waiting, 1.0, concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                run = waiting.pop(future)
                future.result()
                if self.received is None:
                    logger.info("%s: %s", run.name, run.message or "done")
                    bar.update()
            bar.set_postfix_str(self._running(), refresh=False)

    def _running(self):
        with self.lock:
            return "; ".join(f"{run.name} {run.progress()}" for run in self.processes)

    def _train(self, run):
        try:
            self._process(run)
        except BaseException:
            self.broken = True
            raise

    def _process(self, run):
        with self.lock:
            if self.received is not None or self.broken:
                return
            run.folder.parent.mkdir(parents=True, exist_ok=True)
            with open(run.log, "wb") as log:
                # A session of its own: Ctrl-C reaches it once, from `told`, and not from the terminal as well.
                process = subprocess.Popen(
                    run.command(),
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    env=_environment(self.at_once),
                    start_new_session=True,
                )
            self.processes[run] = process
            if self.received is not None:  # between the question above and here
                process.send_signal(signal.SIGTERM)
        code = process.wait()
        with self.lock:
            del self.processes[run]
        if self.received is None:
            run.ended(code)

    def at_risk(self):
        """As long as it trains: its runs may have something to save."""
        return True

    def told(self, number):
        """Has the runs save and end."""
        signals.write(
            f"signal {int(number)}: the runs save what they have; Ctrl-C again does not wait for them"
        )
        self._end()

    def _end(self):
        for process in list(self.processes.values()):
            process.send_signal(signal.SIGTERM)


def _reason(code, log):
    """Why a process ended with a code, in one line; None if all is well."""
    if code == 0:
        return None
    if code < 0:
        return _killed(-code)
    return _last_line(log) or f"ended with {code}"


def _killed(number):
    """What one says of a process that a signal has ended; its log ends wherever it was."""
    names = {each.value: each.name for each in signal.Signals}
    told = names.get(number, "of no name here")
    if told == "SIGKILL":
        told += "; the system does that when memory runs out"
    return f"killed by signal {number} ({told})"


def _last_line(log):
    """What a process said last, or an empty text; bars and phases say how far it was, not why it ended."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", log.read_text(errors="replace"))]
    lines = [line for line in lines if line and not progress.is_drawn(line)]
    return lines[-1].removeprefix("tfgans: ") if lines else ""


def _environment(at_once):
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return launchers.sharing(os.environ, at_once) | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
