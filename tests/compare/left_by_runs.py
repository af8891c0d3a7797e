"""What runs leave in their folders, without having been run."""

import json

from data_records import record

from tfgans.compare import comparison, run

OPERATIVE = """
# Parameters for numerics:
# ==============================================================================
numerics.seed = {seed}
GAN.ema_decay = {decay}
train.steps = 20
Evaluator.num_samples = 100
"""


def make_run(folder, seed, decay, fids, finished=True, **last):
    """A folder as `train` leaves it, evaluated every 10 steps."""
    folder.mkdir(parents=True)
    (folder / "operative.gin").write_text(OPERATIVE.format(seed=seed, decay=decay))
    rows = [
        {"step": 10 * i, "fid": fid, "kid_std": 1.0, "features": "points", "num_samples": 100,
         "train_seconds": 2.0 * i, "compile_seconds": 5.0, "eval_seconds": 0.5}
        for i, fid in enumerate(fids)
    ]  # fmt: skip
    rows[-1] |= last
    rows.append({"step": 0, "fid": 1.0, "command": "evaluate"})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if finished:
        (folder / "export").mkdir()
    (folder / "samples").mkdir()
    for step in (0, 20):
        (folder / "samples" / f"step_{step:08d}.png").write_bytes(b"")
    return folder


def compare(output_dir, monkeypatch, paths, **options):
    """`compare_runs` without networks, which these runs do not have, and without the page."""
    monkeypatch.setattr(comparison.build, "describe", lambda *_: ({
        name: {"parameters": 3, "macs": 4} for name in ("generator", "discriminator")}, None))  # fmt: skip
    monkeypatch.setattr(comparison, "write", lambda *_: None)
    return run.compare_runs(output_dir, paths, **options)


def say_data(folder, fingerprint, source, evaluated="e", changes=(), features="points f", **kind):
    """Says in a run's folder what it was trained on, where that lay, the features, and the kind of its digests."""
    said = record(
        *({"step": step, "changes": "1 added (a.png)"} for step in changes),
        fingerprint=fingerprint,
        images=0,
        source=source,
        evaluation={"images": evaluated, "features": features} | kind,
    )
    (folder / "data.json").write_text(json.dumps(said | kind))
    with open(folder / "operative.gin", "a") as file:
        file.write(f"where = {source!r}\nDataset.source = %where\n")
