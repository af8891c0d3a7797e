"""An invented comparison, with the statistics of the real one."""

import numpy as np
from PIL import Image

from tfgans.compare import comparison

STEPS = (0, 250, 500, 750, 1000)
METRICS = {"fid": (800.0, 15.0), "inception_score": (3.3, 9.6), "kid": (1.2, 0.01), "precision": (0.0, 0.8)}


def run(label, seed, random, final=1.0, outcome="finished", message=None):
    """A run whose metrics go from a start to an end; a diverged one stops half way."""
    steps = STEPS[:3] if outcome == "diverged" else STEPS
    rate = 20.0 * random.uniform(0.95, 1.05)
    evaluations = []
    for step in steps:
        left = np.exp(-step / 200)
        noise = random.normal(1.0, 0.08)
        metrics = {
            name: float(
                start * left + end * (final if name in ("fid", "kid") else 1 / final) * noise * (1 - left)
            )
            for name, (start, end) in METRICS.items()
        }
        evaluations.append({"step": step, "train_seconds": step / rate, "metrics": metrics,
                            "comparable": True})  # fmt: skip
    at = np.arange(50, steps[-1] + 1, 50)
    losses = {"d/adversarial": 1.3 - 0.4 * at / 1000, "g/adversarial": 0.5 * at / 1000 - 0.2,
              "d/gradient_norm": np.exp(at / 250), "g/gradient_norm": 2 + at / 500}  # fmt: skip
    curves = {
        key: [[int(s), float(v)] for s, v in zip(at, values * random.normal(1, 0.1, len(at)), strict=True)]
        for key, values in losses.items()
    }
    return {"seed": seed, "folder": f"{label}/seed_{seed}", "outcome": outcome, "message": message,
            "suspicious": None, "step": steps[-1],
            "train_seconds": steps[-1] / rate, "compile_seconds": 12.25, "eval_seconds": 9.5,
            "evaluations": evaluations, "curves": curves, "samples": None, "spectrum": None,
            "drawn": None}  # fmt: skip


def configuration(label, runs, **differences):
    """A configuration of `compare.json` with these runs, before anything is computed of it."""
    return {"label": label, "gin_files": [f"{label}.gin"], "gin_params": [], "runs": runs,
            "operative": f"# all of {label}\nGAN.discriminator_steps = 1\n", "differences": differences,
            "parameters": {"generator": 4276739, "discriminator": 1053824},
            "macs": {"generator": 123456789, "discriminator": 98765432},
            "milliseconds_per_step": 45.25}  # fmt: skip


def summarised(configurations, metrics=None, problems=(), **settings):
    """A whole comparison: summaries, counts and pairs are those of `tfgans.compare`."""
    if metrics is None:
        metrics = {name: {"higher_is_better": name not in ("fid", "kid")} for name in METRICS}
    for each in configurations:
        runs = each["runs"]
        each["counts"] = {name: sum(r["outcome"] == name for r in runs) for name in comparison.OUTCOMES}
        each["suspicious"] = sum(r["suspicious"] is not None for r in runs)
        each["summary"] = {
            name: comparison._summaries(runs, name, **about) for name, about in metrics.items()
        }
    return {
        "created": "2026-01-02T03:04:05+00:00",
        "versions": {"python": "3.11.2", "tensorflow": "2.21.0"},
        "machine": {"platform": "Linux", "processor": "x", "cores": 2, "memory_gb": 23.4, "devices": ["CPU"]},
        "settings": {"seeds": [0, 1, 2, 3, 4], "steps": 1000, "seconds": None, "primary_metric": "fid",
                     "confidence": 0.95, **settings},
        "metrics": metrics,
        "features": ["digits_classifier"],
        "num_samples": [359],
        "configurations": configurations,
        "pairs": comparison._pairs(configurations, metrics),
        "problems": list(problems),
    }  # fmt: skip


def three_losses(folder, seeds=5):
    """Three configurations x five seeds, one run of them diverged, pictures in `folder`."""
    random = np.random.default_rng(0)
    configurations = []
    for label, final in (("hinge", 1.0), ("non-saturating", 1.04), ("wasserstein_gp", 1.6)):
        runs = [run(label, seed, random, final) for seed in range(seeds)]
        if label == "wasserstein_gp":
            runs[3] = run(label, 3, random, final, "diverged", "the loss was not finite at step 612")
        for each in runs:
            each["samples"] = f"{label}_{each['seed']}.png"
            pixels = (
                random.integers(0, 256, (8, 8, 8, 8), np.uint8).repeat(6, 1).repeat(6, 3).reshape(384, 384)
            )
            Image.fromarray(pixels).save(folder / each["samples"])
        configurations.append(
            configuration(label, runs, **{"GAN.discriminator_loss": f"@{label}_discriminator"})
        )
    configurations[2]["differences"]["GradientPenaltyGAN.weight"] = "10.0"
    problems = ["wasserstein_gp, seed 3: diverged: the loss was not finite at step 612"]
    return summarised(configurations, problems=problems)
