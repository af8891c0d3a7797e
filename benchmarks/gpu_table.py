"""The report of `gpu_check.py` as Markdown: `python benchmarks/gpu_table.py gpu_check.json`."""

import json
import sys

CEILINGS = {"float32": "float32", "TF32": "tf32", "bfloat16": "mixed_bfloat16"}


def rows(head, body):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines] + [""]


def shown(row, *names):
    """The values of a row, or what went wrong in place of the first."""
    if "error" in row:
        return [row["error"].replace("|", "/")] + [""] * (len(names) - 1)
    return [row.get(name, "") for name in names]


def table(report):
    """The tables of all parts that have run."""
    lines = []
    for row in report.get("machine", ()):
        named = [name for name in row if name != "name"]
        lines += rows(["machine", ""], [[name, row[name]] for name in named])
    for part in ("families", "replicas"):
        if part in report:
            head = ["first update, s", "finite", "same bits", "peak MiB"]
            names = ["seconds_to_first_update", "finite", "same_bits", "peak_mib"]
            lines += rows([part, *head], [[row["name"], *shown(row, *names)] for row in report[part]])
    for row in report.get("resume", ()):
        lines += [f"Killed and taken up again: {json.dumps(row)}", ""]
    if "speed" in report:
        peaks = report.get("machine", [{}])[0].get("product_tflops", {})
        lines += rows(
            [
                "speed",
                "ms/update",
                "images/s",
                "s/kimg",
                "TFLOP/s",
                "of the product's rate",
                "GPU busy",
                "kernels",
                "peak MiB",
                "first s",
            ],
            [speed_row(row, peaks) for row in report["speed"]],
        )
    for row in report.get("tests", ()):
        lines += [f"Tests: {json.dumps(row)}", ""]
    for row in report.get("quickstart", ()):
        lines += [f"Quickstart: {json.dumps(row)}", ""]
    lines += [f"Seconds: {json.dumps(report.get('seconds', {}))}", ""]
    return "\n".join(lines)


def speed_row(row, peaks):
    if "seconds_per_update" not in row:
        return [row["name"], *shown(row | {"error": row.get("error", "not measured")}, *"abcdefghi")]
    precision = row["name"].split(": ")[1].split(",")[0]
    work, milliseconds = row.get("work", {}), 1000 * row["seconds_per_update"]
    peak = peaks.get(CEILINGS.get(precision, ""))
    rate = row["tflops_per_second"]
    return [
        row["name"],
        f"{milliseconds:.1f}",
        f"{row['images_per_second']:.0f}",
        f"{row['seconds_per_kimg']:.2f}",
        f"{rate:.2f}",
        f"{rate / peak:.1%}" if peak else "",
        f"{work['gpu_ms'] / milliseconds:.0%}" if "gpu_ms" in work else "",
        work.get("kernels", ""),
        row["peak_mib"],
        row["seconds_to_first_update"],
    ]


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        print(table(json.load(file)))
