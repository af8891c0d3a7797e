"""The lines before a run's first step and after its last."""

import json
import types

import keras
import pytest
import tensorflow as tf
import toys

from tfgans import checkpoint
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.methods.freezed import FreezeDGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import R1GAN
from tfgans.run import summary
from tfgans.run.plan import Plan


def make(kind=GAN, **options):
    model = kind(*toys.image_networks(num_classes=options.get("num_classes")), **options)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    return model


def data(**options):
    about = dict(source="folder:cats", num_examples=2000, item_shape=(8, 8, 1), num_classes=None, class_names=None,
                 skipped=0, batch_size=16, background="white")  # fmt: skip
    return types.SimpleNamespace(**about | options)


def make_run(folder, model, dataset=None, seconds=None, **options):
    plan = Plan(20000, save_every=500, evaluate_every=1000, sample_every=100, seconds=seconds)
    about = dict(plan=plan, steps=plan.steps, evaluator=None, folder=folder, saved_step=None, origin=None,
                 strategy=tf.distribute.get_strategy(),
                 checkpoints=checkpoint.Checkpoints(folder / "checkpoints", 3))  # fmt: skip
    return types.SimpleNamespace(model=model, dataset=dataset or data(), **about | options)


@pytest.fixture(scope="module")
def model():
    return make(num_classes=3, discriminator_steps=2, ema_decay=0.9)


def test_the_whole_introduction(model, tmp_path):
    dataset = data(num_classes=3, class_names=["cat", "dog", "owl"], skipped=1, item_shape=(64, 48, 3))
    extractor = types.SimpleNamespace(name="inception")
    evaluator = types.SimpleNamespace(features=extractor, num_samples=5000, of_images_alone=False)
    run = make_run(tmp_path, model, dataset, evaluator=evaluator)
    size = summary.bytes_text(summary.checkpoint_size(model))
    sizes = [f"{cost.parameters(network):,}" for network in (model.generator, model.discriminator)]
    assert summary.lines(summary.of_run(run, 500)) == [
        "data         folder:cats: 2,000 images of 64 high and 48 wide, RGB, 3 classes (cat, dog, owl), "
        "1 image skipped",
        f"networks     generator {sizes[0]} parameters, discriminator {sizes[1]} parameters, and the generator's "
        "moving average",
        "methods      none: the plain GAN",
        "precision    float32",
        "devices      1 replica on CPU",
        "batch        16 images, 2 of such batches for each generator update",
        "steps        20,000 generator updates, each with 32 images: 320 times all; goes on from 500",
        "evaluation   inception, 5,000 samples, every 1,000 updates",
        f"checkpoints  every 500 updates, each {size}, up to 4 stay: "
        f"{summary.bytes_text(4 * summary.checkpoint_size(model))}",
        f"folder       {tmp_path}",
    ]


def test_what_is_not_there_is_said(model, tmp_path):
    plain = make(R1GAN)
    found = summary.of_run(make_run(tmp_path, plain, seconds=60.0), 0)
    assert found["methods"] == "R1GAN" and "moving average" not in found["networks"]
    assert found["data"] == "folder:cats: 2,000 images of 8x8, gray, no classes"
    assert found["steps"] == "60 seconds of training, each update with 16 images"
    assert found["evaluation"] == ("none (see Evaluator.features); losses are noted every 1,000 updates")
    assert "up to 3 stay" in found["checkpoints"]  # there is no best one
    twelve = data(num_classes=12, class_names=[str(i) for i in range(12)])
    assert summary.data(twelve, None).endswith(
        "12 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...), which training leaves aside: num_classes is not set"
    )
    assert " of 8x8, gray and alpha, " in summary.data(data(item_shape=(8, 8, 2), background="#102030"), None)
    assert " of 8 high and 9 wide, RGB on #102030, " in summary.data(
        data(item_shape=(8, 9, 3), background="#102030"), None
    )
    assert summary.data(data(item_shape=(2,), source="ring"), None).startswith("ring: 2,000 points, ")


def test_an_outer_step_of_a_search_is_no_generator_update(tmp_path):
    """alphaGAN's: T batches of the training half; 2 R + S + 1 of the other one, which the warm-up leaves out."""
    model = types.SimpleNamespace(on_halves=True, batches_of=lambda step: (8, 0 if step < 3 else 25))
    run = make_run(tmp_path, model, steps=25)
    assert summary.steps(run, 0) == "25 outer steps, each with 528 images: 7 times all"  # 16 * 33; of 2,000
    assert summary.batch(data(), model, 24) == (
        "16 images; of the training half 8 batches, of the validation half 25 batches for each outer step"
    )
    timed = make_run(tmp_path, model, steps=25, seconds=9.0)
    assert summary.steps(timed, 0) == "9 seconds of training, each outer step with 528 images"


def test_a_run_that_its_method_never_comes_to_is_told(tmp_path, caplog):
    """Updates 1 to 20,000 are those of the run; after a warm-up of 20,000 pruning begins with update 20,001."""
    for length, said in ((20000, 1), (19999, 0)):
        caplog.clear()
        late = make(ReGAN, warm_up_length=length, sparse_length=5)
        summary.introduce(make_run(tmp_path, late), 0)
        words = "ReGAN prunes from update 20,001 on, after ReGAN.warm_up_length, and the run has 20,000"
        assert caplog.messages.count(words) == said
    caplog.clear()
    summary.introduce(make_run(tmp_path, make(ReGAN, warm_up_length=30000, sparsity=0.0)), 0)
    summary.introduce(make_run(tmp_path, make(ReGAN, warm_up_length=30000), seconds=5.0), 0)
    assert "warm_up_length" not in caplog.text


def test_a_run_is_told_of_weights_that_it_does_not_begin_with(tmp_path, caplog):
    """Held layers of a discriminator that no run has trained; a source that is named when the run has begun."""
    held = make(FreezeDGAN, frozen_layers=1)
    taken = {part: {"left": []} for part in held.carried_over()}
    for origin, said in ((None, 1), (taken, 0)):
        caplog.clear()
        summary.introduce(make_run(tmp_path, held, origin=origin), 0)
        assert caplog.text.count("FreezeDGAN holds layers") == said
    plan = Plan(20000, save_every=500, evaluate_every=1000, sample_every=100, initialize_from="runs/a")
    begun = make_run(tmp_path, held, plan=plan, saved_step=500)
    last = "nothing is taken from runs/a, as only a new run does"
    for source, said in ((None, "weights as they were drawn"), ("runs/b", "runs/b"), ("runs/a", None)):
        if source is not None:
            (tmp_path / "initialized_from.json").write_text(json.dumps({"source": source}))
        caplog.clear()
        summary.introduce(begun, 500)
        told = [message for message in caplog.messages if "has begun" in message]
        assert told == ([] if said is None else [f"{tmp_path} has begun, with {said}: {last}"])
    for damaged in ("{", "{}", "[]"):
        (tmp_path / "initialized_from.json").write_text(damaged)
        caplog.clear()
        summary.introduce(begun, 500)
        assert "initialized_from.json cannot be read as what the run began with" in caplog.text
        begun_alone = make_run(tmp_path, held, saved_step=500)
        caplog.clear()
        summary.introduce(begun_alone, 500)
        assert "initialized_from.json" not in caplog.text


def test_the_size_of_a_checkpoint_is_known_before_there_is_one(model, tmp_path):
    files = checkpoint.Checkpoints(tmp_path)
    files.save(model, 0, {})
    expected = files.path(0).stat().st_size
    per_array = 600  # the most that the file has besides for each array
    arrays = len(checkpoint.variables_of(model)) + 1
    assert 0 < expected - summary.checkpoint_size(model) < per_array * arrays


@pytest.mark.parametrize(("free", "warned"), [(0.99, True), (1.01, False)])
def test_a_disk_that_is_too_small_is_noticed(model, tmp_path, monkeypatch, free, warned):
    run, one = make_run(tmp_path, model), summary.checkpoint_size(model)
    files = checkpoint.Checkpoints(run.checkpoints.folder)
    files.save(model, 0, {})  # one of three that stay, while a fourth is written
    disk = types.SimpleNamespace(free=int(3 * one * free))
    monkeypatch.setattr(summary.shutil, "disk_usage", lambda folder: disk)
    line = summary.full_disk_warning(run)
    assert (line is not None) == warned
    if warned:
        assert f"need {summary.bytes_text(3 * one)} more" in line and summary.bytes_text(disk.free) in line


def test_bytes_are_written_as_people_say_them():
    texts = [summary.bytes_text(count) for count in (12, 94_141_120, 1_500, 3.2e9, 4e12)]
    assert texts == ["12 bytes", "94.1 MB", "1.5 kB", "3.2 GB", "4,000 GB"]


def test_the_last_lines_name_what_is_there_and_what_may_follow(tmp_path):
    folder = tmp_path / "my run"
    (folder / "samples").mkdir(parents=True)
    (folder / "generator.keras").write_text("")
    first, second = summary.closing(folder, lambda command: f"tfgans {command}").splitlines()
    assert first == (
        f"done: {folder} holds samples/ (pictures of what it makes, and real.png of what it learns from), "
        "generator.keras (the generator for Keras)"
    )
    assert second == (
        f"next: tfgans generate '--model_dir={folder}' '--output_dir={folder}-images'   or   "
        f"tfgans evaluate '--model_dir={folder}'"
    )
    line = summary.closing("runs/mine/", lambda command: command, "@InceptionFeatures()").splitlines()[1]
    assert line == (
        "next: generate --model_dir=runs/mine/ --output_dir=runs/mine-images   or   evaluate --model_dir=runs/mine/ "
        "--gin_param='Evaluator.features=@InceptionFeatures()'"
    )
