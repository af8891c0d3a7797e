"""Does a run of two workers, one of which is killed again and again, end as one that is left alone?

Trains twice with two processes on this machine: once undisturbed, once with `kill -9` of either at random moments,
while it loads, joins, compiles, trains, saves or evaluates. What has ended is started again; the other worker has to
end by itself, with one line, unless it is still waiting for the one that was killed. Compares as
`kill_and_resume.py` does, bit for bit. Prints JSON; exits 1 if anything differs or a worker hangs.

python benchmarks/kill_workers.py [--kills=20] [--steps=200] [--gin_file=...] [--gin_param=...]
"""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_and_resume import ROOT, command_of, differences, newest, parsed, rows

_HUNG_SECONDS = 60.0  # a worker whose peer is gone has to have ended by then


class Worker:
    """One of the two processes that train into a folder; what it says goes to a file beside that."""

    def __init__(self, model_dir, options, addresses, task):
        command = [*command_of(model_dir, options), f"--workers={','.join(addresses)}", f"--task={task}"]
        self.log, self.addresses, self.task = Path(f"{model_dir}.{task}.txt"), addresses, task
        with open(self.log, "ab") as said:
            self.begins = said.tell()
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)

    def said(self):
        """What it has said since it was started."""
        return self.log.read_bytes()[self.begins :].decode(errors="replace")

    def has_joined(self):
        """Whether it has found the other one."""
        return "building the networks" in self.said()

    def ends(self, seconds):
        """Waits for its end; whether it came."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()


def free_addresses(count=2):
    """Addresses of this machine, `host:port`, whose ports are free."""
    held = [socket.create_server(("", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
    for each in held:
        each.close()
    return addresses


def pair(model_dir, options):
    """Both workers, at ports that are free."""
    addresses = free_addresses()
    return [Worker(model_dir, options, addresses, task) for task in range(2)]


def finish(workers):
    """Waits for the end of a run that must succeed."""
    for worker in workers:
        if worker.process.wait() != 0:
            for each in workers:
                each.kill()
            raise SystemExit(f"training failed: {worker.said()[-1000:]}")


def wait_until(condition, workers, seconds=600.0):
    """Waits for a condition; False if a worker has ended before it came true, or the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if any(worker.process.poll() is not None for worker in workers) or time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def undisturbed(model_dir, options):
    """Trains to the end; returns the seconds until the workers have joined, and from there to a second checkpoint."""
    began = time.monotonic()
    workers = pair(model_dir, options)
    wait_until(lambda: all(worker.has_joined() for worker in workers), workers)
    joined = time.monotonic()
    wait_until(lambda: len(list((model_dir / "checkpoints").glob("step_*"))) > 1, workers)
    saved = time.monotonic()
    finish(workers)
    return joined - began, saved - joined


def disturbed(model_dir, options, loading, working):
    """Trains with `options.kills` kills, then to the end; returns a dictionary for each kill.

    A quarter of the kills come while the workers load, the others up to 1.2 times as long after they have joined as
    it takes to save anything, at most until something is saved: so they spread over the run.
    """
    generator, found, workers = random.Random(options.seed), [], pair(model_dir, options)
    while len(found) < options.kills:
        early = generator.random() < 0.25
        if not early:
            wait_until(lambda: all(worker.has_joined() for worker in workers), workers)  # noqa: B023
        delay = generator.uniform(0.0, loading if early else 1.2 * working)
        before = newest(model_dir)
        wait_until(lambda: newest(model_dir) != before, workers, delay)  # noqa: B023
        if any(worker.process.poll() is not None for worker in workers):
            break  # done before it could be killed
        victim = workers[generator.randrange(2)]
        found.append({"worker": victim.task, "while_loading": early, "newest": newest(model_dir)})
        workers = _killed(victim, workers[1 - victim.task], model_dir, options, found[-1])
    finish(workers)
    return found


def _killed(victim, other, model_dir, options, about):
    """Kills a worker, sees to the other, and starts again what has ended; returns both."""
    victim.kill()
    began = time.monotonic()
    if other.ends(2.0) or (other.has_joined() and other.ends(_HUNG_SECONDS)):
        about["other"] = other.said().strip().splitlines()[-1]
        about["other_code"] = other.process.returncode
        about["other_ended_after_seconds"] = round(time.monotonic() - began, 1)
    elif not other.has_joined():  # it waits: the one that was killed has only to come back
        about["other"] = "waited"
        back = Worker(model_dir, options, victim.addresses, victim.task)
        return [back, other] if victim.task == 0 else [other, back]
    else:
        about["other"] = "hangs"
        other.kill()
    return pair(model_dir, options)


def main(arguments=None):
    """Runs the comparison; returns the exit code."""
    options = parsed(__doc__, "gin_configs/base/ring.gin", arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        os.makedirs(folder, exist_ok=True)
        began = time.monotonic()
        seconds = undisturbed(folder / "whole", options)
        kills = disturbed(folder / "killed", options, *seconds)
        found = differences(folder / "whole", folder / "killed")
        hanging = [
            kill for kill in kills if kill["other"] == "hangs" or kill.get("other_code") not in (None, 1)
        ]
        result = {
            "steps": options.steps,
            "kills": kills,
            "evaluated_steps": [row["step"] for row in rows(folder / "killed")],
            "differences": found,
            "seconds": round(time.monotonic() - began, 1),
        }
    print(json.dumps(result, indent=1))
    return 1 if found or hanging else 0


if __name__ == "__main__":
    sys.exit(main())
