"""The commands of README.md and of the pages that have no tests of their own, as they stand there, made small.

Those of docs/generate.md, project.md and export.md are run beside the commands' other tests. Left out is what needs
Inception, a GPU's hours or, as `compare`, all of a long training; weights that are taken over have their own tests.
"""

import json

import forks
import numpy as np
import pytest
from configurations import ROOT, commands
from PIL import Image

FEW = ["--gin_param=Evaluator.num_samples=16", "--gin_param=train.num_samples_shown=4"]
RECOMMENDED = "train.py --gin_file=gin_configs/folder/recommended.gin --data="
NARROW = ["--gin_param=dcgan_generator.base_channels=8", "--gin_param=dcgan_discriminator.base_channels=8"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout's folder with `my_images` of mixed sizes and `scans` of two classes."""
    place, draws = tmp_path_factory.mktemp("pages"), np.random.default_rng(0)
    (place / "gin_configs").symlink_to(ROOT / "gin_configs")
    for number in range(20):
        for path in (f"my_images/{number}.png", f"scans/{'ab'[number % 2]}/{number}.png"):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            pixels = draws.integers(0, 200, (9 + number % 4, 12, 3)) + 50 * (number % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(place / path)
    return place


@pytest.fixture(scope="module")
def follow(place, tmp_path_factory):
    """Runs a page's command that begins with some words in `place`, with flags to make it small; what it printed."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def follow(page, begins, *small):
        (words,) = [each for each in commands(ROOT / page) if " ".join(each).startswith(f"launch/{begins}")]
        name = words[0].removeprefix("launch/").removesuffix(".py")
        code = f"import os; os.chdir({str(place)!r}); {forks.LAUNCH.format(command=name)}"
        ended, out, err = forks.run(code, *words[1:], *small, XDG_CACHE_HOME=cache)
        assert ended == 0, (words, err)
        return out

    return follow


@pytest.fixture(scope="module")
def mine(follow, place):
    """`runs/mine` and `generated`, by README.md; what `evaluate` printed."""
    follow("README.md", f"{RECOMMENDED}my_images ", "--steps=2", *FEW, *NARROW)
    printed = follow("README.md", "evaluate.py", *FEW[:1])
    follow("README.md", "generate.py")
    return json.loads(printed)


@pytest.mark.slow
def test_own_images(follow, place, mine):
    assert mine["step"] == 2 and mine["sliced_wasserstein"] > 0
    assert len(list((place / "generated/images").glob("*.png"))) == 64
    before = (place / "runs/mine/metrics.jsonl").read_bytes()
    # The same run, which is finished.
    follow("docs/own_images.md", f"{RECOMMENDED}my_images ", "--steps=2", *FEW, *NARROW)
    assert (place / "runs/mine/metrics.jsonl").read_bytes() == before
    assert "hours" in follow("docs/own_images.md", "describe.py", *NARROW)


def test_a_packed_set_is_that_of_the_folder(follow, place, mine):
    """A finished run finds its data in it, and has nothing left to do."""
    before = (place / "runs/mine/metrics.jsonl").read_bytes()
    assert json.loads(follow("README.md", "pack.py"))["images"] == {"train": 20}
    follow("README.md", f"{RECOMMENDED}my_images.packed ", "--steps=2", *FEW, *NARROW)
    assert (place / "runs/mine/metrics.jsonl").read_bytes() == before


@pytest.mark.slow
def test_features_of_ones_own(follow, mine):
    follow("docs/evaluation.md", "classifier.py", "--epochs=1", "--width=16", "--resolution=8")
    row = json.loads(follow("docs/evaluation.md", "evaluate.py", *FEW[:1]))
    assert row["features"].startswith("classifier_scans_") and row["fid"] > 0
    row = json.loads(follow("docs/evaluation.md", "fid.py scans/", "--resolution=8"))
    assert row["features"].startswith("classifier_scans_") and row["fid"] > 0


@pytest.mark.slow
def test_a_published_generator(follow, place):
    (place / "ffhq.pkl").symlink_to(ROOT / "tests/golden/nvidia.pkl")
    follow("docs/transfer.md", "generate.py --model_dir=ffhq.pkl")
    assert len(list((place / "images/images").glob("*.png"))) == 16
