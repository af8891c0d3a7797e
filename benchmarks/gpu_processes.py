"""Processes of `gpu_check.py`: cases beside each other, and scripts that print one JSON object."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

from spoken_to import SpokenTo

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}  # else the first process takes all of a GPU's memory


class Case(SpokenTo):
    """A process of `gpu_case.py`, whose lines are waited for until a moment."""

    def __init__(self, name, configuration, gin_params=(), batch_size=None, updates=9, times=2, profile=None):
        command = [sys.executable, str(HERE / "gpu_case.py"), f"--updates={updates}", f"--times={times}"]
        command += [f"--configuration={configuration}"] + [f"--gin_param={p}" for p in gin_params]
        command += [f"--batch_size={batch_size}"] if batch_size else []
        command += [f"--profile={profile}"] if profile else []
        super().__init__(command, cwd=HERE.parent, env=os.environ | ENVIRONMENT)
        self.name, self.lines = name, queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for row in self.objects():
            self.lines.put(row)
        self.lines.put(None)

    def answer(self, until):
        """The next object it says, or {"error": why there is none}."""
        try:
            found = self.lines.get(timeout=max(0.1, until - time.monotonic()))
        except queue.Empty:
            return {"error": "no answer within the limit"}
        return found if found is not None else self._error()

    def ask(self, line, until):
        """What it answers to a line: the time of so many updates, or a profile."""
        return self.answer(until) if self.tell(line) else self._error()

    def _error(self):
        return {"error": self.last_words("Error")[:500]}


def each(cases, jobs, until, use):
    """The rows that `use(case)` makes of cases, in their order; `jobs` of them run at a time."""
    rows, places = {}, threading.Semaphore(jobs)

    def run(number, options):
        with places:
            if time.monotonic() >= until:
                rows[number] = {"name": options["name"], "error": "not begun within the limit"}
                return
            case = Case(**options)
            try:
                rows[number] = {"name": case.name, **use(case)}
            finally:
                case.end()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(cases)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [rows[number] for number in sorted(rows)]


def said(command, until):
    """The JSON object that a script of this folder prints last, or why there is none."""
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / command[0]), *command[1:]],
            cwd=HERE.parent,
            capture_output=True,
            text=True,
            timeout=max(1, until - time.monotonic()),
            env=os.environ | ENVIRONMENT,
        )
    except subprocess.TimeoutExpired:
        return {"name": command[0], "error": "no answer within the limit"}
    text = done.stdout[done.stdout.find("{") :]
    try:
        return {"name": command[0], **json.loads(text)}
    except ValueError:
        lines = [line for line in done.stderr.splitlines() if "Error" in line]
        return {"name": command[0], "error": lines[-1][:500] if lines else f"ended with {done.returncode}"}
