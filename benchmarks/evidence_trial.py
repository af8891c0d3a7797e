"""The runs of one part of `evidence.py`: what is to be run, in which order, until when."""

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from evidence_pieces import DRAWN

from tfgans import files
from tfgans.compare import plan
from tfgans.compare.processes import Run, Runner
from tfgans.config import ConfigError
from tfgans.methods.alphagan.spaces.autogan.genotype import random_genotype

HERE = Path(__file__).resolve().parent
DRAWN_SEED = 2024  # of architectures
CHOOSING_SEED = 100  # of the runs that choose a rate; it is not counted
PROBE_SECONDS = 15
GRACE_SECONDS = 15  # for runs to save after the time is up
TRIES = 2  # of runs that the machine failed
SHARE = 0.92  # of the time that is left, for what --updates=auto plans


class Clock:
    """The seconds that are left, and a signal to this process when they are over."""

    def __init__(self, seconds, began):
        self.end = math.inf if seconds is None else began + seconds
        self.timers = []

    def left(self):
        return self.end - time.monotonic()

    def watch(self, runner):
        """Has the runs save and end when the time is over, and ends those that do not."""
        if math.isinf(self.end):
            return
        last = lambda: [process.kill() for process in list(runner.processes.values())]  # noqa: E731
        first = lambda: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
        for seconds, act in ((self.left(), first), (self.left() + GRACE_SECONDS, last)):
            timer = threading.Timer(max(1.0, seconds), act)  # once the runner listens
            timer.daemon = True
            timer.start()
            self.timers.append(timer)

    def rest(self):
        """Nothing is being run."""
        for timer in self.timers:
            timer.cancel()
        self.timers = []


class EvidenceRun(Run):
    """A run by `evidence_run.py`; `flags` are more of its flags."""

    flags = ()

    def command(self):
        return [
            sys.executable,
            str(HERE / "evidence_run.py"),
            *self.configuration.flags(self.seed, self.folder),
            *self.flags,
        ]


class SearchRun(Run):
    """A search by `launch/search.py`."""

    def command(self):
        flags = self.configuration.flags(self.seed, self.folder)
        return [sys.executable, "-m", "tfgans", "search", *flags]

    def has_ended(self, outcome):
        """Whether it also has the genotype that arms train."""
        found = outcome is not None or (self.folder / "genotype.json").exists()
        return found and super().has_ended(outcome)


class Trial:
    """A part, with the options of the command line.

    Attributes: `updates`, of each arm; `evaluations`, of each run; `cost`, seconds of an update of each arm, or None;
        `chosen`, {arm: its rate}, and `tried`, {arm: {rate: validation FID}}; `runs`, {arm: the counted runs}.
    """

    def __init__(self, name, part, options, clock):
        self.name, self.part, self.options, self.clock = name, part, options, clock
        self.folder = options.output / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seeds = options.seeds or part.seeds
        self.updates, self.cost, self.probed = {}, None, None
        self.chosen, self.tried, self.runs, self.searches = {}, {}, {arm: [] for arm in part.arms}, {}

    def run(self):
        """Raises: `Interrupted` when the time is over or a signal has come, the runs saved."""
        self._search()
        self._plan()
        self._choose()
        rounds = []
        for arm, seed in self.counted():
            rounds.append(self._run(arm, seed))
            self.runs[arm].append(rounds[-1])
        for _ in range(TRIES):
            self._train(rounds)
            if not any(run.outcome == "failed" and not run.refused for run in rounds):
                break

    def counted(self):
        """The arm and seed of each counted run, in the order in which they are begun.

        Arms that make several times the updates are last, so that what the clock ends has the others whole.
        """
        pairs = [(arm, seed) for arm in self.part.arms for seed in range(self.seeds_of(arm))]
        return sorted(pairs, key=lambda pair: (self.part.times.get(pair[0], 1), pair[1]))

    def seeds_of(self, arm):
        """The number of an arm's counted runs; --seeds does not change that of arms which have their own."""
        return self.part.more_seeds.get(arm, self.seeds)

    def genotype(self, arm, seed):
        """The file of the architecture that a run of an arm trains, or None."""
        name = self.part.found.get(arm)
        if name is None or name == DRAWN:
            # Not in the folder of an arm's runs, which may have that name, too, and such files.
            return name and self.folder / "architectures" / f"seed_{seed}.json"
        return self.searches[name][seed].folder / "genotype.json"

    def search_flags(self, name):
        """Flags of a search as one text."""
        return self._text([*self.part.search, *self.part.searches[name]], {})

    def _search(self):
        """Finds and draws the architectures that arms train; raises ConfigError if a search failed."""
        for name in self.part.searches:
            made = plan.Configuration(
                f"search {name}", self.search_flags(name), self.options.gin_param, None, 1
            )
            self.searches[name] = [SearchRun(self.folder, made, seed) for seed in range(self.seeds)]
        runs = [run for several in zip(*self.searches.values(), strict=True) for run in several]
        self._train(runs)
        if bad := [run for run in runs if run.outcome is not None or run.message]:
            raise ConfigError(f"{bad[0].name}: {bad[0].message}")
        for arm in [arm for arm, name in self.part.found.items() if name == DRAWN]:
            (self.folder / "architectures").mkdir(exist_ok=True)
            for seed in range(self.seeds_of(arm)):
                random_genotype((DRAWN_SEED, seed)).save(self.genotype(arm, seed))

    def _train(self, runs):
        runner = Runner(runs, self.options.processes, self.name)
        self.clock.watch(runner)
        try:
            runner.train()
        finally:
            self.clock.rest()

    def flags(self, arm, updates, rate=None, more=(), seed=0):
        """Flags of an arm as one text, and so `plan.Configuration` takes them."""
        pieces = [*self.part.common, *self.part.arms[arm], *self.part.rates.get(rate, ()), *more]
        length = updates // self.part.times.get(arm, 1)
        values = {"updates": updates, "length": length, "tenth": max(1, length // 10)}
        return self._text(pieces, values | {"genotype": self.genotype(arm, seed)})

    def _text(self, pieces, values):
        values = values | {"data": self.options.data, "classifiers": self.options.classifiers}
        words = []
        for piece in pieces:
            for name, value in values.items():
                piece = piece.replace(f"{{{name}}}", str(value))
            file = piece.endswith(".gin")
            words.append(f"--gin_file=gin_configs/{piece}" if file else f"--gin_param={piece}")
        return shlex.join(words)

    def _run(self, arm, seed, rate=None):
        updates = self.updates[arm]
        every = updates // self.evaluations
        length = [f"train.steps = {updates}"] + [
            f"train.{name} = {every}" for name in ("evaluate_every", "sample_every", "save_every")
        ]
        label = arm if rate is None else f"{arm} rate {rate}"
        length.append("train.keep_checkpoints = 1")
        text = self.flags(arm, updates, rate or self.chosen.get(arm), length, seed)
        configuration = plan.Configuration(label, text, self.options.gin_param, updates, None)
        run = EvidenceRun(self.folder, configuration, seed)
        run.flags = self.part.flags
        return run

    def _plan(self):
        """How many updates each arm makes; as an earlier call has it."""
        path = self.folder / "plan.json"
        if path.exists():
            kept = json.loads(path.read_text())
        else:
            first = self.options.updates
            kept = {"probed": self._probe() if first == "auto" else None, "cost": None}
            updates = self._fitting(kept["probed"]) if kept["probed"] else int(first or self.part.updates)
            kept["updates"] = {arm: updates * self.part.times.get(arm, 1) for arm in self.part.arms}
            if self.part.equal == "seconds":
                kept["cost"] = self._measured()
                arms = iter(self.part.arms)
                own = kept["cost"][next(arms)]
                kept["updates"] |= {arm: max(1, round(updates * own / kept["cost"][arm])) for arm in arms}
            multiple = kept["evaluations"] = self._evaluations(updates)
            kept["updates"] = {arm: max(1, n // multiple) * multiple for arm, n in kept["updates"].items()}
            files.write_text(path, json.dumps(kept) + "\n")
        self.updates, self.cost, self.probed = (kept[name] for name in ("updates", "cost", "probed"))
        self.evaluations = kept["evaluations"]

    def _evaluations(self, updates):
        """Of each run: the part's number, and with --updates=auto one every thousand updates, at least five."""
        return max(5, updates // 1000) if self.options.updates == "auto" else self.part.evaluations

    def _measured(self):
        """Seconds of an update of each arm: the arms take turns in one process."""
        command = [sys.executable, str(HERE / "step_time.py"), "--rounds=7", "--steps=4"]
        rate = next(iter(self.part.rates), None)  # any of them: it is not what takes time
        command += [f"--configuration={self.flags(arm, self.part.updates, rate)}" for arm in self.part.arms]
        command += [f"--gin_param={binding}" for binding in self.options.gin_param]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE.parent)
        rows = json.loads(done.stdout[done.stdout.index("\n{") :])["results"]
        return {arm: row["seconds_per_update"] for arm, row in zip(self.part.arms, rows, strict=True)}

    def _probe(self):
        """What a run takes here, with as many beside it as there will be: the slowest arm's `seconds_per_update`,
        and the most `other_seconds`, of starting and compiling, and `eval_seconds`, of one evaluation."""
        length = ["train.steps = 1000000000", f"train.seconds = {PROBE_SECONDS}"]
        length += [f"train.{name}_every = 1000000000" for name in ("evaluate", "sample", "save")]
        runs = []
        for seed in range(self.seeds):
            for arm in self.part.arms:
                text = self.flags(arm, 1_000_000, more=length)
                configuration = plan.Configuration(arm, text, self.options.gin_param, None, 1)
                runs.append(EvidenceRun(self.folder / "probe", configuration, seed))
        runs = runs[: self.options.processes]
        began = time.monotonic()
        self._train(runs)
        spent = time.monotonic() - began
        rows = [row for run in runs for row in files.JsonLines(run.folder / "metrics.jsonl").read()]
        last = [row for row in rows if row["step"] > 0]
        if not last:
            raise RuntimeError(f"the probe trained nothing: {runs[0].message}")
        evaluating = max(row["eval_seconds"] for row in last)
        return {
            "seconds_per_update": max(row["train_seconds"] / row["step"] for row in last),
            "eval_seconds": evaluating,
            "other_seconds": max(0.0, spent - PROBE_SECONDS - 2 * evaluating),
        }

    def _fitting(self, probed):
        """Updates that fit into the time left, in whole thousands: at least one, at most the part's own."""
        waves = math.ceil(len(self.part.arms) * self.seeds / self.options.processes)
        seconds = SHARE * self.clock.left() / waves - probed["other_seconds"] - 6 * probed["eval_seconds"]
        each = probed["seconds_per_update"] + probed["eval_seconds"] / 1000
        return 1000 * max(1, min(self.part.updates, int(seconds / each)) // 1000)

    def _choose(self):
        """Each arm's rate: that with the lowest validation FID at the end of a run that is not counted."""
        if not self.part.rates:
            return
        runs = {
            arm: {rate: self._run(arm, CHOOSING_SEED, rate) for rate in self.part.rates}
            for arm in self.part.arms
        }
        self._train([runs[arm][rate] for rate in self.part.rates for arm in self.part.arms])
        for arm, of_rates in runs.items():
            self.tried[arm] = {rate: validation(run) for rate, run in of_rates.items()}
            known = {rate: math.inf if value is None else value for rate, value in self.tried[arm].items()}
            self.chosen[arm] = min(known, key=known.get)


def validation(run):
    """The last validation FID of a run that came to its end; None if it did not, or is not finite."""
    rows = files.JsonLines(run.folder / "metrics.jsonl").read()
    reached = rows and rows[-1]["step"] == run.configuration.steps
    return rows[-1].get("validation_fid") if reached else None
