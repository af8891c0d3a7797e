"""`export` as a user calls it, what docs/export.md and docs/transfer.md say, and a pickle in the place of a run."""

import json
import os
import re
import shlex

import forks
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from short_runs import CONFIG, ROOT, without_progress

from tfgans import checkpoint
from tfgans.run import build

PICKLE = ROOT / "tests/golden/nvidia.pkl"
EXPORT, TRANSFER = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("export", "transfer"))


@pytest.fixture(scope="module")
def classes_dir(tmp_path_factory):
    """A run of a conditional network as far as `export` needs one, its average apart from what trains."""
    folder = tmp_path_factory.mktemp("classes")
    (folder / "operative.gin").write_text(CONFIG + "GAN.label_distribution = 'uniform'\n")
    build.prepare([str(folder / "operative.gin")], ["numerics.precision = 'mixed_bfloat16'"])
    model, _ = build.build_model()
    draws = np.random.default_rng(0)
    for weight in model.ema_generator.trainable_variables:  # classes of a new network are all alike
        weight.assign(weight.numpy() * 3.0 + draws.normal(scale=0.1, size=weight.shape))
    checkpoint.Checkpoints(folder / "checkpoints").save(model, 3, {})
    return folder


def commands(page):
    """The commands of a page, each as a list of words."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    texts = [text for language, text in blocks if not language]
    lines = [line for text in texts for line in text.replace("\\\n", "").splitlines()]
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def exported(call, classes_dir, tmp_path_factory):
    """`(folder, what was printed)` of the page's first command, with a run and a folder of its own."""
    (python, script, *flags) = commands(EXPORT)[0]
    assert (python, script) == ("python", "launch/export.py")
    place = tmp_path_factory.mktemp("work")
    named = {
        "--model_dir=runs/mine": f"--model_dir={classes_dir}",
        "--output_dir=exported": f"--output_dir={place}/exported",
    }
    assert named.keys() <= set(flags)
    code, out, err = call("export", *[named.get(flag, flag) for flag in flags])
    assert (code, err, out.count("\n")) == (0, "", 1), err
    return place / "exported", json.loads(out)


def test_what_is_printed_is_what_is_there(exported):
    folder, told = exported
    assert json.loads((folder / "export.json").read_text()) == told
    assert (told["step"], told["latent_dim"], told["num_classes"], told["latents"]) == (3, 8, 10, 64)
    names = {"saved_model", "onnx", "litert", "litert_float16", "litert_int8"}
    assert told["formats"].keys() == names and told["failed"] == {}
    assert sorted(os.listdir(folder)) == sorted(
        ["export.json", *(told["formats"][name]["file"] for name in names)]
    )
    for name, about in told["formats"].items():
        path = folder / about["file"]
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        assert about["bytes"] == sum(file.stat().st_size for file in files)
        assert about["ms_per_image"] > 0 and (about["max_error"] <= 1e-4 or "_" in name)
    assert told["formats"]["onnx"]["runtime"] == f"onnxruntime {onnxruntime.__version__}"


def test_files_take_and_give_what_the_page_says(exported, classes_dir):
    folder, _ = exported
    model, _ = build.load(classes_dir, ["numerics.precision = 'float32'"])
    latents = np.random.default_rng(3).normal(size=(5, 8)).astype("float32")
    labels = np.array([9, 0, 3, 3, 1], "int32")
    shown = model.render(latents, labels).astype(int)
    session = onnxruntime.InferenceSession(folder / "generator.onnx")
    assert [each.name for each in session.get_outputs()] == ["images"]
    (images,) = session.run(["images"], {"latents": latents, "labels": labels})
    assert images.dtype == np.float32 and images.shape == (5, 8, 8, 1) and np.abs(images).max() <= 1
    assert np.abs(np.floor(images * 127.5 + 128).clip(0, 255) - shown).max() <= 1 and shown.std() > 5
    generate = Interpreter(model_path=str(folder / "generator.tflite")).get_signature_runner()
    found = generate(latents=latents, labels=labels)["images"]
    np.testing.assert_allclose(found, images, atol=1e-4)
    assert np.abs(images[2] - images[3]).max() > 0.01  # of one class
    same = {"latents": np.tile(latents[:1], (10, 1)), "labels": np.arange(10, dtype="int32")}
    assert session.run(None, same)[0].std(0).max() > 0.01  # the class matters


def test_the_programs_of_the_page_run(exported, monkeypatch):
    monkeypatch.chdir(exported[0].parent)
    programs = re.findall(r"^```python\n(.*?)^```", EXPORT, re.MULTILINE | re.DOTALL)
    names = {}
    exec(programs[0], names)
    (images,) = (names["images"],)
    assert names["pixels"].dtype == np.uint8 and names["pixels"].shape == (4, 8, 8, 1)
    exec(programs[1], names)
    np.testing.assert_allclose(names["images"], images, atol=1e-4)


def test_a_format_that_fails_its_check_is_told_by_the_exit_code(classes_dir, tmp_path):
    code = "from tfgans.run import exporting; exporting.LARGEST_ERROR = -1.0\n" + forks.LAUNCH.format(
        command="export"
    )
    flags = [
        f"--model_dir={classes_dir}",
        f"--output_dir={tmp_path / 'out'}",
        "--formats=saved_model",
        "--weights=raw",
    ]
    code, out, err = forks.Fork(code, "launch/export.py", *flags).finish()
    assert code == 2 and json.loads(out)["formats"] == {}
    assert "making 64 images by Keras, to compare with ... 0 s" in err
    said = without_progress(err)
    assert re.fullmatch(
        "export.py: saved_model was not written: its images are [0-9.e-]+ off Keras's, and -1 is allowed\n",
        said,
    )
    assert os.listdir(tmp_path / "out") == ["export.json"]


def test_mistakes_are_one_line(refused, classes_dir, exported, tmp_path):
    run, to = f"--model_dir={classes_dir}", f"--output_dir={tmp_path / 'new'}"
    for flags, said in (
        (
            [run, to, "--formats=onnx,pdf"],
            "--formats are of saved_model, onnx, litert, tfjs. Received: 'pdf'",
        ),
        ([run, f"--output_dir={exported[0]}"], "of an earlier export: choose another folder, or --overwrite"),
        ([f"--model_dir={tmp_path}", to], f"{tmp_path} is not a run: it has no operative.gin"),
        ([run, to, "--formats=saved_model", "--step=77"], "77"),
    ):
        assert said in refused("export", *flags)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_pickle_in_the_place_of_a_run(call, refused, golden, tmp_path):
    of_pickle = f"--model_dir={PICKLE}"
    code, out, err = call("export", of_pickle, f"--output_dir={tmp_path / 'onnx'}", "--formats=onnx")
    assert (code, err) == (0, "") and json.loads(out)["image_shape"] == [16, 16, 3]
    session, expected = onnxruntime.InferenceSession(tmp_path / "onnx/generator.onnx"), golden("nvidia")
    (images,) = session.run(None, {"latents": expected["z"]})
    wanted = np.clip(expected["images"].transpose(0, 2, 3, 1), -1, 1)
    np.testing.assert_allclose(images, wanted, atol=1e-4)
    (tmp_path / "bad.pkl").write_bytes(b"cposix\nsystem\n(S'touch ran'\ntR.")
    line = refused("generate", f"--model_dir={tmp_path / 'bad.pkl'}", f"--output_dir={tmp_path / 'no'}")
    assert "bad.pkl cannot be read as a pickle of StyleGAN2's networks: it asks for posix.system" in line
    assert not (ROOT / "ran").exists()


@pytest.mark.parametrize("page", [EXPORT, TRANSFER], ids=["export", "transfer"])
def test_commands_of_the_pages_have_flags_that_there_are(page, script):
    found = 0
    for words in commands(page):
        scripts = [word for word in words if word.startswith("launch/")]
        if not scripts:
            continue
        help_text = script(scripts[0].removeprefix("launch/").removesuffix(".py"), "--help")[1]
        for word in words[words.index(scripts[0]) + 1 :]:
            name, _, value = word.removeprefix("--").partition("=")
            assert re.search(rf"--(\[no\])?{name}\b", help_text), word
            assert not value.startswith("gin_configs/") or (ROOT / value).exists()
            found += 1
    assert found >= 3


@pytest.mark.slow
def test_the_page_s_networks_of_a_pickle_are_those_of_auto(call, tmp_path):
    """Parameters at 256 pixels as NVIDIA's `auto` has them, ada_conditional.md 2.3."""
    words = next(words for words in commands(TRANSFER) if any("stored_noise" in word for word in words))
    skipped = ("--data=", "--model_dir=", "--initialize_from=")
    Image.new("RGB", (256, 256)).save(tmp_path / "photo.png")
    flags = [word for word in words[2:] if not word.startswith(skipped)]
    code, out, _ = call("describe", *flags, f"--data={tmp_path}")
    facts = json.loads(out)
    assert (code, facts["image_shape"]) == (0, [256, 256, 3])
    assert facts["generator"]["parameters"] == 23_191_522
    assert facts["discriminator"]["parameters"] == 24_001_089
