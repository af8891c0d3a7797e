"""How long the first update of configurations takes to compile: tracing, and what TensorFlow makes of the graph.

    python benchmarks/compile_time.py [--name=sngan ...] [--configuration="--gin_file=..." ...] [--updates=2]

Names are those of `gpu_configurations.py`, all if nothing is given. Each is built in a process of its own, for four
random images, and makes each kind of update that is among its first ones twice: what the first time took beyond the
second counts as compilation. All is in seconds of the processor on one thread, which other work on the machine
changes little. With --updates=20 kinds among as many are in `all kinds`, such as those without lazy regularizers.
Prints a table, the slowest first, then one JSON object; `update` is of the last kind.
"""

import argparse
import json
import os
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from gpu_configurations import FAMILIES

BATCH_SIZE = 4


def measure(configuration, gin_params, updates):
    """What the child prints: seconds of the first update's compilation, of all kinds', of building, of an update."""
    from step_time import Contender

    class Timed(Contender):
        def run(self, count):
            began = time.process_time()
            super().run(count)
            self.seconds_spent = time.process_time() - began

    began = time.process_time()
    contender = Timed("case", configuration, gin_params, BATCH_SIZE)
    building = time.process_time() - began - contender.seconds_spent
    model, compiling, kinds = contender.model, [], []
    for step in range(updates):
        if (kind := model.kind_of(step)) in kinds:
            continue
        if step:
            model.step.assign(step)
            contender.run(1)
        first = contender.seconds_spent
        model.step.assign(step)  # the same kind again
        contender.run(1)
        kinds.append(kind)
        compiling.append(first - contender.seconds_spent)
    return {
        "first": round(compiling[0], 1),
        "all_kinds": round(sum(compiling), 1),
        "kinds": len(kinds),
        "building": round(building, 1),
        "update": round(contender.seconds_spent, 2),
    }


def asked(case, updates):
    """The row of one configuration."""
    command = [sys.executable, os.path.abspath(__file__), "--child", f"--updates={updates}"]
    command += [f"--configuration={case['configuration']}", *(f"--gin_param={p}" for p in case["gin_params"])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"name": case["name"], "error": done.stderr.strip().splitlines()[-1]}
    return {"name": case["name"]} | json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [case["name"] for case in FAMILIES]
    parser.add_argument("--name", action="append", default=[], choices=names, metavar="NAME")
    parser.add_argument(
        "--configuration", action="append", default=[], help="a gin file, or flags as one text"
    )
    parser.add_argument("--gin_param", action="append", default=[], help="for each --configuration")
    parser.add_argument("--updates", type=int, default=2, help="among which kinds are looked for")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.configuration[0], options.gin_param, options.updates)))
        return
    cases = [dict(name=c, configuration=c, gin_params=options.gin_param) for c in options.configuration]
    wanted = options.name or ([] if cases else names)
    cases += [case for case in FAMILIES if case["name"] in wanted]
    rows = []
    for case in cases:
        rows.append(asked(case, options.updates))
        print(rows[-1], file=sys.stderr, flush=True)
    rows.sort(key=lambda row: -row.get("all_kinds", 0.0))
    print(f"{'configuration':24}    first  all kinds  building   update")
    for row in rows:
        if "error" in row:
            print(f"{row['name']:24} {row['error']}")
            continue
        told = [row[name] for name in ("first", "all_kinds", "building", "update")]
        print(f"{row['name']:24} {told[0]:8.1f} {told[1]:10.1f} {told[2]:9.1f} {told[3]:8.2f}")
    print(json.dumps({"batch_size": BATCH_SIZE, "updates": options.updates, "results": rows}))


if __name__ == "__main__":
    main()
