"""PNGs of runs within the page of a comparison."""

import base64
import collections
from pathlib import Path

from tfgans.compare import evaluations

_MOST_PICTURES = 40  # of samples in the page; it would become too big to send round
_PNG = b"\x89PNG\r\n\x1a\n"


def samples(output_dir, comparison):
    """The final samples: rows of `(seed, [picture or None a configuration])`, and how many rows are left out.

    A picture is a dict of `uri`, its `width` on the page, and whether it is shown `sharp`. Rows are the seeds;
    where a configuration has a seed twice, the second one has a row of its own.
    """
    by_row, configurations = {}, comparison["configurations"]
    for column, configuration in enumerate(configurations):
        seen = collections.Counter()
        for run in configuration["runs"]:
            row = (run["seed"], seen[run["seed"]])
            seen[run["seed"]] += 1
            by_row.setdefault(row, [None] * len(configurations))[column] = run
    some = {row: runs for row, runs in by_row.items() if any(run and run["samples"] for run in runs)}
    shown = list(some.items())[: max(1, _MOST_PICTURES // max(1, len(configurations)))]
    rows = [
        (row[0], [run and picture(output_dir, run["samples"], len(configurations)) for run in runs])
        for row, runs in shown
    ]
    return [row for row in rows if any(row[1])], len(some) - len(shown)


def picture(output_dir, path, columns):
    try:
        data = (Path(output_dir) / path).read_bytes() if path else b""
    except OSError:
        return None
    if not data.startswith(_PNG) or len(data) < 24:
        return None
    width = int.from_bytes(data[16:20], "big")
    shown = width * (240 // width) if 0 < width <= 120 else min(width, max(240, 1080 // max(columns, 2)))
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"uri": uri, "width": shown, "sharp": shown >= width}  # whole multiples need no smoothing


def drawn(output_dir, comparison):
    """What `evaluate --pictures` drew: rows of `(name, [picture or None a configuration])`, of one run each.

    The run is the first that came to its end with pictures, see `evaluations.shown`.
    """
    runs = [evaluations.shown(configuration) for configuration in comparison["configurations"]]
    rows = [
        (name, [run and picture(output_dir, run["drawn"][key], len(runs)) for run in runs])
        for key, name in evaluations.PICTURES.items()
    ]
    return [row for row in rows if any(row[1])]
