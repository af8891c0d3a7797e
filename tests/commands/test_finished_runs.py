"""`evaluate`, `generate` and `describe`."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from short_runs import POINTS, rows

from tfgans import checkpoint, pictures
from tfgans.data import Dataset
from tfgans.data.digits import digits_split
from tfgans.gan import langevin
from tfgans.run import build


def test_evaluate_prints_and_appends_one_repeatable_row(call, run_dir):
    before = rows(run_dir)
    results = [call("evaluate", f"--model_dir={run_dir}", "--num_samples=32") for _ in range(2)]
    results.append(call("evaluate", f"--model_dir={run_dir}", "--step=0"))
    assert all(code == 0 and err == "" and out.count("\n") == 1 for code, out, err in results), results
    added = [json.loads(out) for _, out, _ in results]
    assert rows(run_dir) == before + added
    first, second, untrained = ({k: v for k, v in row.items() if k != "eval_seconds"} for row in added)
    assert first == second
    assert (first["step"], first["num_samples"], first["features"]) == (4, 32, "digits_classifier")
    of_training = ("_seconds", "_flops", "real_images")
    in_training = {k: v for k, v in before[0].items() if not k.endswith(of_training)}
    assert untrained == in_training | {"command": "evaluate"}


@pytest.mark.slow
def test_raw_weights_are_evaluated_and_shown_on_request(call, refused, run_dir, styled_run_dir, tmp_path):
    found, images = {}, {}
    for weights in ("average", "raw"):
        flags = [f"--model_dir={run_dir}", f"--weights={weights}"]
        code, out, err = call("evaluate", *flags, "--num_samples=32")
        assert (code, err) == (0, ""), err
        found[weights] = json.loads(out)
        assert found[weights]["weights"] == weights
        code, _, err = call("generate", *flags, "--num_images=3", f"--output_dir={tmp_path / weights}")
        assert (code, err) == (0, ""), err
        images[weights] = [path.read_bytes() for path in sorted((tmp_path / weights).rglob("image_*.png"))]
    flags = [f"--model_dir={run_dir}", "--weights=raw", "--standing_statistics"]
    code, out, err = call("evaluate", *flags, "--num_samples=32")
    assert (code, err) == (0, ""), err
    standing = json.loads(out)
    assert (standing["statistics"], standing["weights"]) == ("standing", "raw") and "statistics" not in found[
        "raw"
    ]
    assert standing["fid"] != found["raw"]["fid"]
    assert found["average"]["fid"] != found["raw"]["fid"] and images["average"] != images["raw"]
    assert found["average"]["average_difference"] == found["raw"]["average_difference"] > 0.1
    model, _ = build.load(run_dir, weights="raw")
    paths = sorted((tmp_path / "raw").rglob("image_*.png"))
    for path, expected in zip(paths, model.generate(3, seed=0), strict=True):
        with Image.open(path) as image:
            assert np.abs(np.asarray(image).astype(int) - expected[..., 0]).max() <= 1
    for mode, name in (("--style_mixing=1x1", "style_mixing.png"), ("--interpolate", "interpolation.png")):
        kinds = []
        for weights in ("average", "raw"):
            folder = tmp_path / f"{mode[2]}{weights}"
            options = [f"--weights={weights}", f"--output_dir={folder}", mode]
            code, _, err = call("generate", f"--model_dir={styled_run_dir}", *options)
            assert (code, err) == (0, ""), err
            kinds.append((folder / name).read_bytes())
        assert kinds[0] != kinds[1], mode
    line = refused("generate", f"--model_dir={run_dir}", f"--output_dir={tmp_path / 'no'}", "--weights=ema")
    assert "average|raw" in line
    both = ["--weights=raw", "--generator=sparse"]
    assert "--generator=sparse has one kind of weights" in refused(
        "evaluate", f"--model_dir={run_dir}", *both
    )


def test_evaluate_takes_the_place_where_the_images_are_by_now(call, refused, run_dir, tmp_path):
    """The run is on digits; `elsewhere` has its test images, and no others."""
    np.savez(tmp_path / "elsewhere.npz", **dict(zip(("images", "labels"), digits_split()[2:], strict=True)))
    there = f"--data={tmp_path / 'elsewhere.npz'}"
    params = "--gin_param=DigitsFeatures.any_images=True", "--step=0"
    code, out, err = call("evaluate", f"--model_dir={run_dir}", there, *params)
    assert code == 0, err
    moved, plain = json.loads(out), rows(run_dir)[0]
    assert moved["reference"] == f"npz:{tmp_path / 'elsewhere.npz'} train" and moved["num_reference"] == 359
    assert plain["num_reference"] == 359 and moved["fid"] == pytest.approx(plain["fid"], rel=1e-6)
    line = refused("evaluate", f"--model_dir={run_dir}", there, "--gin_param=Dataset.source='digits'")
    assert "--gin_param=Dataset.source='digits' would be ignored: --data says where the images are" in line
    line = refused("evaluate", f"--model_dir={run_dir}", f"--data={tmp_path / 'nowhere'}")
    assert f"Received: '{tmp_path / 'nowhere'}', which is not there" in line


def test_evaluate_takes_driven_latents_and_says_so(call, refused, run_dir):
    """Both refuse a rate alone; see `test_what_cannot_be_made` for `generate`."""
    flags = [f"--model_dir={run_dir}", "--num_samples=32", "--gin_param=Evaluator.metrics=['fid','ppl_z']"]
    code, out, err = call("evaluate", *flags, "--langevin_steps=3", "--langevin_rate=0.5")
    assert (code, err) == (0, "ppl_z left out: paths are between latents as they are drawn\n"), err
    row = json.loads(out)
    assert rows(run_dir)[-1] == row and "ppl_z" not in row
    assert (row["langevin_steps"], row["langevin_rate"], row["command"]) == (3, 0.5, "evaluate")
    model, _ = build.load(run_dir, ["Evaluator.num_samples=32", "Evaluator.metrics=['fid']"])
    dataset = Dataset()
    evaluator = build.build_evaluator(model, dataset)
    driven = evaluator(langevin.stream_of(model, model.seed, 3, 0.5), dataset)
    assert row["fid"] == pytest.approx(driven["fid"], rel=1e-3)
    assert row["fid"] != pytest.approx(evaluator(model.stream_of(model.seed), dataset)["fid"], rel=1e-2)
    line = refused("evaluate", f"--model_dir={run_dir}", "--langevin_rate=0.1")
    assert "--langevin_rate is for --langevin_steps" in line


@pytest.mark.slow
def test_a_run_without_an_average_has_raw_weights(call, refused, tmp_path):
    (tmp_path / "operative.gin").write_text(POINTS)
    build.prepare([str(tmp_path / "operative.gin")], [])
    checkpoint.Checkpoints(tmp_path / "checkpoints").save(build.build_model()[0], 0, {})
    flags = [f"--model_dir={tmp_path}", f"--output_dir={tmp_path / 'out'}"]
    line = refused("generate", *flags, "--weights=average")
    assert "the generator has no average (GAN.ema_decay = 0): weights are 'raw'. Received: 'average'" in line
    assert not (tmp_path / "out").exists()
    for more in ([], ["--weights=raw", "--overwrite"]):
        code, _, err = call("generate", *flags, *more, "--num_images=4")
        assert (code, err) == (0, ""), err


def test_generate_writes_images_and_a_grid(call, run_dir, tmp_path):
    flags = [f"--model_dir={run_dir}", "--num_images=6"]
    variants = {
        "plain": ["--labels=0,1"],
        "again": ["--labels=0,1"],
        "seed": ["--labels=0,1", "--seed=1"],
        "best": ["--labels=0,1", "--step=best"],
        "truncated": ["--labels=0,1", "--truncation=0.2"],
        "driven": ["--labels=0,1", "--langevin_steps=3", "--langevin_rate=0.5"],
        "between": ["--interpolate"],
    }
    names = [f"images/image_{i:05d}.png" for i in range(6)] + ["grid.png"]
    files = {}
    for name, options in variants.items():
        code, out, err = call("generate", *flags, f"--output_dir={tmp_path / name}", *options)
        assert (code, err) == (0, ""), err
        moving = [f"interpolation.{kind}" for kind in ("png", "mp4", "gif")] if name == "between" else []
        assert out == f"{8 + len(moving)} files in {tmp_path / name}, the last {['grid.png', *moving][-1]}\n"
        assert sorted(os.listdir(tmp_path / name)) == sorted(["images", "latents.npz", "grid.png", *moving])
        files[name] = {n: (tmp_path / name / n).read_bytes() for n in names}
    assert files["plain"] == files["again"]
    best = min((row for row in rows(run_dir) if "command" not in row), key=lambda row: row["fid"])["step"]
    assert (files["best"] == files["plain"]) == (best == 4)
    for name in ("seed", "truncated", "driven"):
        assert all(files[name][n] != files["plain"][n] for n in names), name
    assert len({files["between"][n] for n in names}) == 7  # each step of the way is another image
    with Image.open(tmp_path / "plain" / "images" / "image_00000.png") as image:
        assert image.size == (8, 8) and image.mode == "L"
    with Image.open(tmp_path / "between" / "grid.png") as image:  # one row of 6
        assert image.size == ((6 * 10 + 2) * 6, (10 + 2) * 6)
    with Image.open(tmp_path / "between" / "interpolation.png") as image:
        assert image.size == (6 * 48 + 4, 48 + 4) and image.mode == "L"
    with Image.open(tmp_path / "between" / "interpolation.gif") as image:
        lasting = []
        for frame in range(image.n_frames):
            image.seek(frame)
            lasting.append(image.info["duration"])
        assert sum(lasting) == (2 * 32 - 2) * 50  # frames that are the same are one
        assert image.size == (72, 72)  # the one row


@pytest.mark.slow
def test_generate_does_not_mix_samples(call, refused, run_dir, tmp_path):
    flags = [f"--model_dir={run_dir}", f"--output_dir={tmp_path}"]
    assert call("generate", *flags, "--num_images=3")[0] == 0
    line = refused("generate", *flags, "--num_images=2")
    assert f"{tmp_path} holds 5 files of an earlier generate" in line and "--overwrite" in line
    assert len(os.listdir(tmp_path / "images")) == 3
    assert call("generate", *flags, "--num_images=2", "--overwrite")[0] == 0
    assert sorted(os.listdir(tmp_path / "images")) == ["image_00000.png", "image_00001.png"]


def test_numbers_of_a_run_that_cannot_be_written_to_are_printed(call, run_dir, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(run_dir / "checkpoints", run / "checkpoints")
    for name in ("operative.gin", "classes.json"):
        shutil.copy(run_dir / name, run)
    (run / "metrics.jsonl").mkdir()
    (run / "spectra_evaluate").write_text("")
    options = [
        "Evaluator.metrics=['fid', 'spectrum']",
        f"Evaluator.cache_dir='{run / 'operative.gin' / 'cache'}'",
    ]
    code, out, err = call("evaluate", f"--model_dir={run}", *[f"--gin_param={option}" for option in options])
    assert code == 0 and json.loads(out)["fid"] > 0 and out.count("\n") == 1
    lines = err.splitlines()
    assert [line.partition(" could not be written: ")[0] for line in lines] == [
        "the cache of reference statistics", "the figure of the spectra", "the row of metrics.jsonl",
    ]  # fmt: skip
    assert str(run / "metrics.jsonl") in lines[2]


@pytest.mark.slow
def test_generate_with_styles(call, styled_run_dir, tmp_path):
    model, _ = build.load(styled_run_dir)
    options = ["--num_images=4", "--seed=3"]
    shown = {
        "plain": (
            ["--truncation=0.5", "--truncated_slots=2"],
            model.generate(4, seed=3, truncation=0.5, truncated_slots=2),
        ),
        "z": (["--interpolate", "--interpolate_in=z"], model.interpolate(1, 4, 3, space="z")),
    }
    for name, (more, expected) in shown.items():
        more += [] if name == "plain" else ["--frames=5", "--frames_per_second=10"]
        flags = [f"--model_dir={styled_run_dir}", f"--output_dir={tmp_path / name}", *options, *more]
        code, _, err = call("generate", *flags)
        assert (code, err) == (0, ""), err
        for i, image in enumerate(expected):
            assert_near(tmp_path / name / "images" / f"image_{i:05d}.png", image[..., 0])
    with Image.open(tmp_path / "z" / "interpolation.gif") as image:
        assert (image.n_frames, image.info["duration"]) == (8, 100)


@pytest.mark.slow
def test_style_mixing_writes_one_figure(call, styled_run_dir, tmp_path):
    model, _ = build.load(styled_run_dir)
    flags = ["--style_mixing=2x3", "--mixed_slots=1:3", "--truncation=0.9", "--seed=4"]
    code, out, err = call("generate", f"--model_dir={styled_run_dir}", f"--output_dir={tmp_path}", *flags)
    assert (code, err, out) == (0, "", f"1 file in {tmp_path}, the last style_mixing.png\n"), err
    assert os.listdir(tmp_path) == ["style_mixing.png"]
    figure = model.mix(2, 3, (1, 3), seed=4, truncation=0.9)
    assert_near(tmp_path / "style_mixing.png", pictures.grid(figure.reshape(12, 8, 8, 1), 4)[..., 0])


@pytest.mark.slow
def test_a_layer_of_the_mapping_and_the_figure_of_all(call, refused, styled_run_dir, run_dir, tmp_path):
    model, _ = build.load(styled_run_dir)
    of_styles = f"--model_dir={styled_run_dir}"
    flags = [of_styles, f"--output_dir={tmp_path / 'one'}", "--style_layer=1", "--num_images=2", "--seed=4"]
    code, _, err = call("generate", *flags, "--truncation=0.7")
    assert (code, err) == (0, ""), err
    for i, image in enumerate(model.generate(2, seed=4, style_layer=1, truncation=0.7)):
        assert_near(tmp_path / "one" / "images" / f"image_{i:05d}.png", image[..., 0])
    figure = model.by_style_layer(8, seed=4).reshape(16, 8, 8, 1)
    flags = [of_styles, f"--output_dir={tmp_path / 'all'}", "--style_layer=all", "--seed=4"]
    code, out, err = call("generate", *flags)
    assert (code, err, out) == (0, "", f"1 file in {tmp_path / 'all'}, the last style_layers.png\n"), err
    assert_near(tmp_path / "all" / "style_layers.png", pictures.grid(figure, 8)[..., 0])
    code, _, err = call("generate", *flags, "--num_images=3", "--overwrite")
    assert (code, err, os.listdir(tmp_path / "all")) == (0, "", ["style_layers.png"]), err
    to = f"--output_dir={tmp_path / 'no'}"
    for wrong, said in (
        (["--style_layer=3"], "style_layer is in [1, 2]. Received: 3"),
        (["--style_layer=0"], "style_layer is an integer of at least 1. Received: 0"),
        (["--style_layer=w"], "--style_layer is the number of a dense layer or all. Received: 'w'"),
        (["--style_layer=1", "--interpolate"], "--style_layer does not go with --interpolate"),
        (["--style_layer=1", "--style_mixing=1x1"], "--style_layer does not go with --style_mixing"),
        (["--style_layer=all", "--labels=0"], "--labels does not go with --style_layer=all"),
    ):
        assert said in refused("generate", of_styles, to, *wrong)
    for value in ("1", "all"):
        line = refused("generate", f"--model_dir={run_dir}", to, f"--style_layer={value}")
        assert "style_layer: the generator has no styles" in line
    assert not (tmp_path / "no").exists()


def assert_near(path, picture):
    """A file's pixels, to the last bit of another process's floats."""
    with Image.open(path) as image:
        found = np.asarray(image)
    assert found.shape == picture.shape and found.std() > 5
    assert np.abs(found.astype(int) - picture).max() <= 1


def test_a_command_that_does_not_train_waits_for_no_workers(call):
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    told = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 1}})
    code, out, err = call("describe", "--gin_file=gin_configs/base/ring.gin", TF_CONFIG=told)
    assert (code, err) == (0, "") and json.loads(out)["model"] == "GAN"


@pytest.mark.slow
def test_describe_prints_facts_or_a_table(call):
    flags = ["--gin_file=gin_configs/quickstart.gin", "--gin_param=build.methods=[@R1GAN]"]
    code, out, err = call("describe", *flags)
    assert (code, err, out.count("\n")) == (0, "", 1)
    facts = json.loads(out)
    assert facts["methods"] == ["R1GAN"] and facts["image_shape"] == [8, 8, 1] and facts["num_classes"] == 10
    for name in ("generator", "discriminator"):
        assert set(facts[name]) == {"parameters", "macs"}
        assert all(isinstance(value, int) and value > 0 for value in facts[name].values())
    code, out, err = call("describe", *flags, "--summary")
    assert (code, err) == (0, "")
    for name in ("generator", "discriminator"):
        numbers = facts[name]
        assert f"{name}: {numbers['parameters']:,} parameters, {numbers['macs']:,} MACs" in out
    layers = [line.split() for line in out.splitlines() if line.startswith("  ")]
    total = sum(int(parts[-2].replace(",", "")) for parts in layers)
    assert total == facts["generator"]["parameters"] + facts["discriminator"]["parameters"]
