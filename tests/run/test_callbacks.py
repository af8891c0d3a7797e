"""What happens between steps: when, with which numbers, and that it can be repeated after a crash."""

import json
import os
import signal
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2

from tfgans import progress
from tfgans.gan import GAN
from tfgans.run import callbacks, shown


def make(steps_per_execution=1, **options):
    model = GAN(*toys.image_networks(num_classes=options.get("num_classes")), **options)
    rates = keras.optimizers.SGD(1e-3), keras.optimizers.SGD(2e-3)
    eagerly = steps_per_execution == 1  # sooner done than traced
    model.compile(*rates, steps_per_execution=steps_per_execution, run_eagerly=eagerly)
    return model


def fit(model, steps, *watchers):
    model.fit(toys.images(4 * steps), batch_size=4, shuffle=False, verbose=0, callbacks=list(watchers))


def tags(folder):
    """{tag: [steps]} as TensorBoard has them."""
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return {tag: [e.step for e in accumulator.Tensors(tag)] for tag in accumulator.Tags()["tensors"]}


def values(folder, tag):
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return [float(tf.make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)]


@pytest.mark.parametrize(
    ("start", "per_execution", "interval", "expected"),
    [(0, 1, 3, [0, 3, 6]), (3, 1, 3, [3, 6, 9]), (4, 1, 3, [6, 9]), (0, 2, 4, [0, 4])],
)
def test_every_counts_updates_across_restarts(start, per_execution, interval, expected):
    model, seen = make(per_execution), []
    model.step.assign(start)
    fit(model, 6, callbacks.Every(interval, seen.append))
    assert seen == expected


def test_updates_are_counted_as_made_where_the_data_ends_within_an_execution():
    model, seen, about = make(steps_per_execution=4), [], {}
    watchers = callbacks.Every(1, seen.append), callbacks.CostMeter(about, batch_size=4)
    model.fit(toys.images(4 * 7), batch_size=4, epochs=2, verbose=0, callbacks=list(watchers))
    assert seen == [0, 4, 7, 11, 14] and about["real_images"] == 14 * 4


def test_divergence_is_noticed_before_what_comes_after_it():
    model, saved = make(), []
    watch = callbacks.StopWhenDiverged()
    watch.set_model(model)
    model._logs.last = {"d/adversarial": 1.0, "g/gradient_norm": float("inf")}
    with pytest.raises(callbacks.Diverged, match="g/gradient_norm is inf at step 7"):
        watch.after(7)
    model._logs.last = {"d/adversarial": 1e30}
    watch.after(8)
    kernel = model.discriminator.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(callbacks.Diverged, match="at step 1"):
        fit(model, 2, watch, callbacks.Every(1, saved.append))
    assert saved == [0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_then_saves(number):
    model, saved = make(), []
    kill = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: os.kill(os.getpid(), number) if batch == 2 else None
    )
    before = signal.getsignal(number)
    with callbacks.StopOnSignal(saved.append) as stop, pytest.raises(callbacks.Interrupted) as caught:
        stop.check()  # nothing has come yet
        fit(model, 6, kill, stop)
    assert saved == [3] and caught.value.number == number
    with pytest.raises(callbacks.Interrupted):
        stop.check()
    assert signal.getsignal(number) == before


def test_the_clock_counts_steps_alone():
    about = {"train_seconds": 5.0}
    clock = callbacks.TrainingClock(about)
    times = iter([10.0, 13.0, 20.0, 21.0, 30.0, 32.0])
    clock.set_model(types.SimpleNamespace(steps_per_execution=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.time, "perf_counter", lambda: next(times))
        for step in (1, 2, 3):
            clock.on_train_batch_begin(step)
            clock.after(step)
    assert about == {"train_seconds": 5.0 + 1.0 + 2.0, "compile_seconds": 3.0}


def test_curves_are_means_over_the_interval(tmp_path):
    model, seen = make(), []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(dict(model.step_logs))
    )
    fit(model, 6, record, shown.TrainingCurves(tmp_path, 3, images_per_step=4))
    assert set(tags(tmp_path)) == {*seen[0], "learning_rate/generator", "learning_rate/discriminator",
                                    "images_per_second"}  # fmt: skip
    assert all(steps == [3, 6] for steps in tags(tmp_path).values())
    for name in seen[0]:
        expected = [np.mean([logs[name] for logs in part]) for part in (seen[:3], seen[3:])]
        np.testing.assert_allclose(values(tmp_path, name), expected, rtol=1e-6)
    np.testing.assert_allclose(values(tmp_path, "learning_rate/generator"), [1e-3] * 2, rtol=1e-6)
    np.testing.assert_allclose(values(tmp_path, "learning_rate/discriminator"), [2e-3] * 2, rtol=1e-6)


def test_a_point_is_of_all_its_updates_where_the_run_was_stopped_among_them(tmp_path):
    model, seen, about = make(), [], {}
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(dict(model.step_logs))
    )
    for steps in (4, 1, 1):  # a process each
        fit(model, steps, record, shown.TrainingCurves(tmp_path, 3, images_per_step=4, about=about))
        about = json.loads(json.dumps(about))  # as a checkpoint has it
    for name in seen[0]:
        expected = [np.mean([logs[name] for logs in part]) for part in (seen[:3], seen[3:])]
        np.testing.assert_allclose(values(tmp_path, name), expected, rtol=1e-6)


def test_images_a_second_leave_out_what_other_callbacks_do(tmp_path):
    model = make()
    curves = shown.TrainingCurves(tmp_path, 2, images_per_step=50)
    times = iter([0.0, 1.0, 100.0, 104.0])  # steps of 1 and 4 seconds, with an evaluation between them
    curves.set_model(model)
    model._logs.last = {"d/adversarial": 1.0}
    curves.at_start(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shown.time, "perf_counter", lambda: next(times))
        for step in (1, 2):
            curves.on_train_batch_begin(step)
            curves.after(step)
    assert values(tmp_path, "images_per_second") == [100 / 5]


def test_events_past_a_restart_are_forgotten(tmp_path):
    for start, end in ((0, 9), (4, 7), (6, 12)):  # each killed, and gone on from an earlier checkpoint
        shown.forget_events_from(tmp_path, start + 1)
        writer = tf.summary.create_file_writer(str(tmp_path))
        with writer.as_default():
            for step in range(start + 1, end + 1):
                tf.summary.scalar("loss", float(step), step=step)
        writer.close()
        newest = max(tmp_path.glob("events*"), key=lambda path: path.stat().st_mtime_ns)
        with open(newest, "ab") as file:
            file.write(b"\x07torn")
        newest.rename(tmp_path / f"events.out.tfevents.{start}.v2")  # as if a second had passed
    assert not list(tmp_path.glob("part*"))
    assert tags(tmp_path)["loss"] == list(range(1, 13))
    shown.forget_events_from(tmp_path / "missing", 3)
    assert not (tmp_path / "missing").exists()


def test_damaged_events_are_forgotten(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in (event_pb2.Event(step=1).SerializeToString(), b"\xff" * 9, b""):
            writer.write(record)
    shown.forget_events_from(tmp_path, 3)
    kept = [event_pb2.Event.FromString(r.numpy()).step for r in tf.data.TFRecordDataset(str(path))]
    assert kept == [1, 0]  # no bytes at all are an event, of step 0


def test_sample_grids_show_fixed_latents_with_a_class_a_column(tmp_path):
    model = make(num_classes=3)
    draw = shown.SampleGrid(model, tmp_path / "samples", count=8)
    draw(0)
    first = (tmp_path / "samples" / "step_00000000.png").read_bytes()
    with Image.open(tmp_path / "samples" / "step_00000000.png") as image:
        page = np.asarray(image)
    assert page.shape == ((2 * 10 + 2) * 6, (3 * 10 + 2) * 6)  # 2 rows of 3 classes
    expected = model.generate(6, labels=[0, 1, 2], seed=model.seed)
    for i in range(6):
        top, left = (2 + 10 * (i // 3)) * 6, (2 + 10 * (i % 3)) * 6
        np.testing.assert_array_equal(page[top : top + 48 : 6, left : left + 48 : 6], expected[i, ..., 0])
    draw(4)
    assert (
        tmp_path / "samples" / "step_00000004.png"
    ).read_bytes() == first  # the same model: the same latents
    fit_labels = np.zeros(8, "int32")
    model.fit(toys.images(8), fit_labels, batch_size=4, verbose=0)
    draw(4)
    assert (tmp_path / "samples" / "step_00000004.png").read_bytes() == first  # it is there already
    (tmp_path / "samples" / "step_copy.png").write_bytes(b"")  # a user's own, which stays
    assert draw.forget_from(4) and not draw.forget_from(3)
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["step_00000000.png", "step_copy.png"]
    draw(4)
    assert (tmp_path / "samples" / "step_00000004.png").read_bytes() != first


def test_the_bar_starts_where_the_run_does_after_the_first_step(capsys, monkeypatch):
    monkeypatch.setitem(progress._state, "talks", True)
    model = make()
    model.run_eagerly = True
    model.step.assign(4)
    bar = shown.ProgressBar(10, 4)
    bar.close()  # nothing to close yet
    fit(model, 6, bar)
    bar.close()
    compiling, *lines = capsys.readouterr().err.splitlines()
    assert compiling == "compiling the first step, which takes a while ... 0 s"
    lines = [line for line in lines if not line.startswith("compiling")]  # how long it took, if it did
    assert lines[0].startswith("training:  50%|") and "5/10" in lines[0]
    assert "10/10" in lines[-1] and "d/adversarial=" in lines[-1] and "images/s=" in lines[-1]
    assert "images/s=0" not in lines[-1]


def test_steps_that_are_saved_are_not_at_risk():
    stop = callbacks.StopOnSignal(None)
    assert stop.at_risk()  # it was told nothing
    stop.saved_at(0)
    assert not stop.at_risk() and stop.standing() == "nothing was trained yet"
    stop.trained_to(0)
    assert not stop.at_risk()
    stop.trained_to(1)
    assert stop.at_risk()
    stop.saved_at(1)
    assert not stop.at_risk() and stop.standing() == "the same command goes on from there"
    stop.received = signal.SIGTERM  # it came while step 2 was being saved
    stop.trained_to(2)
    with pytest.raises(callbacks.Interrupted):
        stop.saved_at(2)
    assert not stop.at_risk()


def test_few_classes_have_several_columns_each(tmp_path, monkeypatch):
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    asked = []
    monkeypatch.setattr(
        model,
        "generate",
        lambda count, labels, seed, weights: (
            asked.append((count, labels)) or np.zeros((count, 8, 8, 1), np.uint8)
        ),
    )
    picture = shown.SampleGrid(model, tmp_path, count=40).picture()
    assert asked == [(36, [0, 0, 1, 1, 2, 2])]  # 6 columns, as near to a square as whole columns are
    assert picture.shape[:2] == ((6 * 10 + 2) * 6, (6 * 10 + 2) * 6)
