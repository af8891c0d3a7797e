"""Steps that are not compiled alike: which runs when, what XLA shares, and the means of their logs."""

import keras
import pytest
import tensorflow as tf
import toys

from tfgans.gan import GAN

OPTIONS = [
    {},
    {"steps_per_execution": 3},
    {"run_eagerly": True},
    {"jit_compile": True},
]


class Phases(GAN):
    """Steps 0, 3, 6 .. are of kind "a", the others of kind "b"; every second step has one more log."""

    def __init__(self, *networks, **kwargs):
        super().__init__(*networks, **kwargs)
        self.traced = []

    def step_variant(self, step):
        return (*super().step_variant(step), "b" if step % 3 else "a")

    def extra_updates(self, step):
        return (*super().extra_updates(step), *(() if step % 2 else ("extra",)))

    def train_step(self, data):
        self.traced.append((self.variant, self.extras))
        logs = super().train_step(data)
        step = tf.cast(self.step.value, tf.float32)  # one more than the number of this step
        logs["phase"] = tf.constant({"a": 1.0, "b": 2.0}[self.variant[-1]])
        return logs | ({"extra": step} if "extra" in self.extras else {})

    def discriminator_losses(self, real, fake):
        terms = super().discriminator_losses(real, fake)
        return terms | {"d/phase": tf.constant({"a": 10.0, "b": 20.0}[self.variant[-1]])}


def fitted(cls=Phases, steps=6, model=None, **options):
    if model is None:
        model = cls(*toys.image_networks(batch_norm=False))
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), **options)
    seen = []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(model.step_logs))
    images = toys.images(4 * steps)
    history = model.fit(images, batch_size=4, shuffle=False, verbose=0, callbacks=[keep]).history
    return model, [dict(logs) for logs in seen], history


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_host_chooses_each_step_by_its_number(options):
    model, seen, history = fitted(**options)
    if "steps_per_execution" in options:  # of steps 0, 1, 2 then 3, 4, 5, over those that have the log
        assert [logs["phase"] for logs in seen] == pytest.approx([5 / 3, 5 / 3])
        assert [logs["extra"] for logs in seen] == pytest.approx([2.0, 5.0])
    else:
        assert [logs["phase"] for logs in seen] == [1.0, 2.0, 2.0] * 2
        assert [logs["d/phase"] for logs in seen] == [10.0, 20.0, 20.0] * 2
        assert [logs.get("extra") for logs in seen] == [1.0, None, 3.0, None, 5.0, None]
    assert history["extra"] == pytest.approx([3.0]) and history["phase"] == pytest.approx([5 / 3])
    kinds = {((p,), e) for p in "ab" for e in (("extra",), ())}
    assert set(model.traced) == kinds and (options.get("run_eagerly") or len(model.traced) == 4)


@pytest.mark.slow
def test_a_kind_that_comes_twice_in_an_execution_counts_twice():
    """Steps 0 to 5 in one go: phases 1, 2, 2, 1, 2, 2, of which 1 and 5, and 2 and 4, are of one kind."""
    _, seen, history = fitted(steps_per_execution=6)
    assert [logs["phase"] for logs in seen] == pytest.approx([10 / 6])
    assert [logs["d/phase"] for logs in seen] == pytest.approx([100 / 6])
    assert [logs["extra"] for logs in seen] == pytest.approx([3.0]) == history["extra"]


@pytest.mark.slow
def test_the_choice_follows_the_saved_step():
    model, _, _ = fitted(steps=2)
    _, seen, _ = fitted(steps=4, model=model)
    assert [logs["phase"] for logs in seen] == [2.0, 1.0, 2.0, 2.0]
    model.step.assign(9)
    _, seen, _ = fitted(steps=2, model=model)
    assert [logs["phase"] for logs in seen] == [1.0, 2.0] and "extra" in seen[1]


@pytest.mark.slow
def test_kinds_of_step_change_no_number():
    toys.assert_same(toys.values(fitted(GAN)[0]), toys.values(fitted(Phases)[0]))


@pytest.mark.slow
def test_xla_compiles_once_for_each_variant_and_not_for_extras():
    model, _, _ = fitted(jit_compile=True)
    variants = [key[-1] for key in model._xla_functions if key[0] is Phases.discriminator_gradients]
    assert sorted(variants) == [("a",), ("b",)]
    function = model.xla(model.discriminator_gradients)
    model.choose_step(2)
    other = model.xla(model.discriminator_gradients)
    model.choose_step(5)
    assert model.xla(model.discriminator_gradients) is other is function


@pytest.mark.slow
def test_under_a_strategy():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = Phases(*toys.image_networks(batch_norm=False))
        model.compile("sgd", "sgd")
    _, seen, _ = fitted(steps=4, model=model)
    assert [logs["phase"] for logs in seen] == [1.0, 2.0, 2.0, 1.0]


class Counting(GAN):
    """Keeps count of how often a discriminator step is written down in Python."""

    def __init__(self, *networks, **kwargs):
        super().__init__(*networks, **kwargs)
        self.written = []

    def discriminator_step(self, real):
        self.written.append(real["images"].shape)
        return super().discriminator_step(real)


def counted(steps, **options):
    """A model after two training steps of so many discriminator steps."""
    model = Counting(*toys.image_networks(batch_norm=False), discriminator_steps=steps, seed=3)
    model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2), **options)
    model.fit(toys.images(8 * steps), batch_size=4 * steps, shuffle=False, verbose=0)
    return model


def test_several_discriminator_steps_are_traced_once_and_make_their_own_updates():
    compiled, looped, eager = counted(3), counted(3, steps_per_execution=2), counted(3, run_eagerly=True)
    assert len(compiled.written) == len(looped.written) == 1 and len(eager.written) == 6
    assert int(compiled.discriminator_optimizer.iterations) == 6 and int(compiled.draws) == int(eager.draws)
    toys.assert_same(toys.values(compiled), toys.values(looped))
    expected = toys.values(eager)
    for name, value in toys.values(compiled).items():
        assert value == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
    weights = [model.discriminator.get_weights() for model in (eager, counted(2))]
    one_fewer = max(abs(a - b).max() for a, b in zip(*weights, strict=True))
    assert one_fewer > 1e-4  # an update fewer in each step would be seen
