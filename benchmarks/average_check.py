"""Is the averaged generator a worse picture of a run than its raw weights?

    python benchmarks/average_check.py --gin_file=gin_configs/quickstart.gin --gin_file=gin_configs/base/ring.gin \
      [--gin_param=Name.parameter=value] [--steps=600] [--output_dir=runs/average_check]

A configuration of several files or with bindings is --configuration='--gin_file=A.gin --gin_file=B.gin'.

Trains each configuration to 5 %, 20 % and 100 % of its steps (`--steps`, or its own `train.steps`) with
launch/train.py and measures the Frechet distance of both there, with the same latents. The average must never be more
than 10 % worse than the raw weights. Writes one JSON a configuration, and goes on where it was stopped: what has its
JSON is left alone. Prints a table; exits 1 if the rule is broken.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tfgans.compare import plan  # noqa: E402

SHARES = (0.05, 0.2, 1.0)
MOST = 1.1  # of the raw weights' distance


def call(command, *flags):
    """What a launch script prints, which must succeed."""
    arguments = [sys.executable, str(ROOT / "launch" / f"{command}.py"), *flags]
    done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{command} failed: {' '.join(flags)}")
    return done.stdout


def steps_of(gin_flags):
    """The `train.steps` of a configuration."""
    facts = json.loads(call("describe", *gin_flags))
    if "training" not in facts:
        raise SystemExit(f"how long to train is not set in {gin_flags[0]}: give --steps")
    return facts["training"]["steps"]


def known(model_dir, step):
    """`{weights: row}` of what a run has measured at `step`."""
    path = model_dir / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {row["weights"]: row for row in rows if row["step"] == step and row.get("weights")}


def measured(model_dir, step, train):
    """`{"average": fid, "raw": fid}` of a run at `step`; what was measured before is not again, nor trained."""
    if len(known(model_dir, step)) < 2:
        train()
    found = known(model_dir, step)
    for weights in {"average", "raw"} - set(found):
        flags = (f"--model_dir={model_dir}", f"--step={step}", f"--weights={weights}")
        found[weights] = json.loads(call("evaluate", *flags))
    distances = {weights: found[weights]["fid"] for weights in ("average", "raw")}
    return distances | {"average_difference": found["raw"].get("average_difference")}


def check(name, gin_files, gin_params, options):
    """The rows of one configuration, one for each share of its steps."""
    gin_flags = [f"--gin_file={path}" for path in gin_files] + [f"--gin_param={each}" for each in gin_params]
    total = options.steps or steps_of(gin_flags)
    model_dir, rows = Path(options.output_dir) / name, []
    rarely = [f"--gin_param=train.{what}_every={10**9}" for what in ("save", "evaluate", "sample")]
    for share in SHARES:
        step = max(round(share * total), 1)
        flags = (*gin_flags, *rarely, f"--model_dir={model_dir}", f"--steps={step}")
        train = functools.partial(call, "train", *flags)
        rows.append({"share": share, "step": step} | measured(model_dir, step, train))
    return {"gin_files": gin_files, "gin_params": gin_params, "rows": rows}


def name_of(gin_files, bindings):
    """A configuration's name as a file: `folder_file` of each of its files, and its own bindings."""
    files = ["_".join(Path(path).with_suffix("").parts[-2:]) for path in gin_files]
    return plan.folder_name("+".join([*files, *bindings]))


def holds(row):
    """Whether the average is at most 10 % worse; a distance that is no number is worse than any."""
    if row["raw"] is None or row["average"] is None:
        return row["average"] is not None or row["raw"] is None
    return row["average"] <= MOST * row["raw"]


def table(results):
    """The distances at each share, average / raw, as lines."""
    lines = [f"{'':<40}" + "".join(f"{f'{share:.0%}':>20}" for share in SHARES)]
    for name, result in results.items():
        cells = []
        for row in result["rows"]:
            numbers = " / ".join("-" if row[k] is None else f"{row[k]:.4g}" for k in ("average", "raw"))
            cells.append(f"{numbers + ('' if holds(row) else ' !'):>20}")
        lines.append(f"{name:<40}" + "".join(cells))
    return "\n".join(lines)


def main(arguments=None):
    """Runs the checks; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gin_file", "--configuration", action="append", required=True)
    parser.add_argument("--gin_param", action="append", default=[], help="for each configuration")
    parser.add_argument("--steps", type=int, help="of each; its own train.steps if not given")
    parser.add_argument("--output_dir", default="runs/average_check")
    options = parser.parse_args(arguments)
    os.makedirs(options.output_dir, exist_ok=True)
    results = {}
    for text in options.gin_file:
        gin_files, own = plan.parts(text)
        name = name_of(gin_files, own)
        path = Path(options.output_dir) / f"{name}.json"
        if not path.exists():
            result = check(name, gin_files, [*own, *options.gin_param], options)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(result, indent=1) + "\n")
            part.replace(path)
        results[name] = json.loads(path.read_text())
    print(table(results))
    return 0 if all(holds(row) for result in results.values() for row in result["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())
