"""gin_configs/folder on folders as users have them: one step of every method, and what is left to the data."""

import json

import gin
import numpy as np
import pytest
from builds import tiny
from configurations import CONFIGS, ROOT
from PIL import Image
from short_runs import rows
from slow import some

from tfgans.run import build, searching, training

METHODS = sorted(
    {path.stem for path in (CONFIGS / "folder").glob("*.gin")} - {"images", "ada", "alphagan_search"}
)
METHODS = [name for name in METHODS if not name.startswith("stylegan2_ada")]  # in test_stylegan2_ada.py
UNLABELLED = ("alphagan", "lightweight", "octave", "progan", "stylegan2")  # whose networks take no labels
FLAGS = ("--gin_file=", "--gin_param=", "--model_dir=")
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
    assert of["batch_size"] == {"alphagan": 4, "sngan": 4, "r3gan": 10}.get(
        method, 20
    )  # of 20 images, 5, 2 or 1 batches a step
    assert of["channels"] == (1 if kind == "classes" else 3)
    assert of["num_classes"] == (2 if kind == "classes" and method not in UNLABELLED else None)
    last = rows(tmp_path / "run")[-1]
    assert last["step"] == 1 and np.isfinite(last["sliced_wasserstein"]) and last["features"] == "none"


def test_what_a_search_finds_on_a_folder_trains_on_it(folders, tmp_path, eagerly, monkeypatch):
    """By the flags that it ends with, which take the resolution from the images, as its own 32 is not asked for."""
    monkeypatch.setattr(training, "hand_over", lambda *_: None)
    files = [str(ROOT / "gin_configs/folder/alphagan_search.gin")]
    params = [f"Dataset.source = 'folder:{folders / 'photographs'}'", "batch_size = 10", *SMALL[2:]]
    short = [f"AlphaGAN.{name}_steps = 1" for name in ("weight", "test", "architecture")]
    small = tiny(files, params)
    build.prepare(files, [*params, *small, *short])
    flags = searching.search(str(tmp_path / "search"))
    assert gin.query_parameter("%resolution") == 32 and rows(tmp_path / "search")[-1]["step"] == 1
    given = {kind: [flag[len(kind) :] for flag in flags if flag.startswith(kind)] for kind in FLAGS}
    assert given["--gin_file="] == ["gin_configs/folder/alphagan.gin"]
    params = [params[0], *SMALL[2:], *given["--gin_param="]]
    build.prepare(given["--gin_file="], [*params, *tiny(given["--gin_file="], params)])
    training.train(given["--model_dir="][0])
    found = json.loads((tmp_path / "search/genotype.json").read_text())
    assert gin.query_parameter("%resolution") == 16
    assert gin.query_parameter("alphagan_generator.genotype") == str(tmp_path / "search/genotype.json")
    assert {name for cell in found["normal"] for name in cell} == {"conv_1x1"}
    assert rows(tmp_path / "search-retrained")[-1]["step"] == 1
