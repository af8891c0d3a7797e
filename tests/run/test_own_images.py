"""gin_configs/folder on folders as users have them: one step of every method, and what is left to the data."""

import gin
import numpy as np
import pytest
from builds import tiny
from configurations import CONFIGS, ROOT
from PIL import Image
from short_runs import rows
from slow import some

from tfgans.run import build, training

METHODS = sorted({path.stem for path in (CONFIGS / "folder").glob("*.gin")} - {"images", "ada"})
METHODS = [name for name in METHODS if not name.startswith("stylegan2_ada")]  # in test_stylegan2_ada.py
UNLABELLED = ("lightweight", "octave", "progan", "stylegan2")  # whose networks take no labels
SMALL = (
    "stylegan2_generator.latent_dim = 16",
    "stylegan2_generator.style_dim = 16",
    "Evaluator.num_samples = 16",
    "train.steps = 1",
    "train.num_samples_shown = 4",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """`photographs` of mixed sizes, `transparent` ones, and `classes` of gray ones."""
    root, draws = tmp_path_factory.mktemp("own"), np.random.default_rng(0)

    def draw(path, size, mode):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draws.integers(0, 256, (*size, len(mode)), np.uint8)
        Image.fromarray(pixels.squeeze()).save(path)

    for number in range(20):
        draw(root / f"photographs/{number}.jpg", (17 + number, 40 - number), "RGB")
        draw(root / f"transparent/{number}.png", (16, 16), "RGBA")
        draw(root / f"classes/{'ab'[number % 2]}/{number}.png", (16, 16), "L")
    return root


CELLS = [(method, kind) for method in METHODS for kind in ("photographs", "classes")]


CELLS.append(("recommended", "transparent"))


@pytest.mark.parametrize(("method", "kind"), some(CELLS, every=5, unpack=True))
def test_every_method_trains_on_every_kind_of_folder(method, kind, folders, tmp_path, eagerly, monkeypatch):
    monkeypatch.setattr(training, "hand_over", lambda *_: None)  # files, which have tests of their own
    files = [str(ROOT / f"gin_configs/folder/{method}.gin")]
    source = f"Dataset.source = 'folder:{folders / kind}'"
    small = [line for line in SMALL if not line.startswith("stylegan2") or method == "stylegan2"]
    params = [source, *tiny(files, [source]), *small]
    build.prepare(files, params)
    training.train(str(tmp_path / "run"))
    of = {
        name: gin.query_parameter(f"%{name}")
        for name in ("resolution", "channels", "batch_size", "num_classes")
    }
    assert of["resolution"] == (
        32 if method in ("lightweight", "stylegan2") else 16
    )  # what `tiny` says of it
    assert of["batch_size"] == {"sngan": 4, "r3gan": 10}.get(
        method, 20
    )  # of 20 images, 5, 2 or 1 batches a step
    assert of["channels"] == (1 if kind == "classes" else 3)
    assert of["num_classes"] == (2 if kind == "classes" and method not in UNLABELLED else None)
    last = rows(tmp_path / "run")[-1]
    assert last["step"] == 1 and np.isfinite(last["sliced_wasserstein"]) and last["features"] == "none"
