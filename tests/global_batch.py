"""Every method on one device, on two replicas and in micro-batches: the same logs and weights, in its own process."""

import growing
import keras
import numpy as np
import searches
import tensorflow as tf
import test_octave
import test_style
import toys
from test_advas import smooth_networks

from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.layers.minibatch import MinibatchStandardDeviation
from tfgans.layers.norms import BatchNormalization
from tfgans.methods import compose
from tfgans.methods.adapt.model import AdaptGAN
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.adversarialnas import AdversarialNASGAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.random_search import RandomSearchGAN
from tfgans.methods.alphagan.spaces.autogan.supernet import alphagan_supernet
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.began import BEGAN
from tfgans.methods.consistency import ConsistencyGAN
from tfgans.methods.contrastive import ContrastiveGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.freezed import FreezeDGAN
from tfgans.methods.latent_consistency import LatentConsistencyGAN
from tfgans.methods.lecam_penalty import LeCamPenaltyGAN
from tfgans.methods.multi_hinge import MultiHingeGAN
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.octave.schedule import combi
from tfgans.methods.orthogonal import OrthogonalGAN
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.r3gan.model import R3GAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN, WeightClippedGAN
from tfgans.methods.rggan.model import RGGAN
from tfgans.methods.robgan import RobGAN
from tfgans.methods.self_supervised import SelfSupervisedGAN
from tfgans.methods.style import PathLengthGAN, StyleMixingGAN
from tfgans.methods.tickets import TicketGAN
from tfgans.methods.top_k import TopKGAN
from tfgans.networks.parts import discriminator_model
from tfgans.optimizers import MovingAdam, TorchAdam, TorchRMSprop

BATCH = 8
WASSERSTEIN = {
    "discriminator_loss": losses.drift_wasserstein_discriminator,
    "generator_loss": losses.wasserstein_generator,
}
SQUARES = {
    "discriminator_loss": losses.least_squares_discriminator,
    "generator_loss": losses.least_squares_generator,
}


def sgd(**options):
    return lambda: keras.optimizers.SGD(0.05, **options)


class Case:
    """What is trained, how long, and beginnings of names that its first logs must have.

    Steps are not compiled, which takes longer than they do; `compiled` is for loops in TensorFlow. `phases` are those
    of a search; None stands for all. `whole` is the option that makes its loss one of the whole batch.
    """

    def __init__(
        self,
        methods,
        networks=None,
        labels=True,
        steps=1,
        optimizer=None,
        has=(),
        compiled=False,
        phases=None,
        whole=None,
        **options,
    ):
        self.methods, self.networks, self.labels = methods, networks or toys.classifier_networks, labels
        self.steps, self.optimizer, self.has, self.options = steps, optimizer or sgd(), has, options
        self.compiled, self.phases, self.whole = compiled, phases, whole
        if labels:
            self.options["num_classes"] = 3

    def train(self, strategy, micro_batches=1):
        """The logs of each step, or of each phase of a search, and the state at the end."""
        with strategy.scope():
            model = compose(*self.methods)(*self.networks(), **self.options)
            options = {"run_eagerly": True, "accumulation_steps": micro_batches}
            model.compile(self.optimizer(), self.optimizer(), **options)
        random, logs = np.random.default_rng(0), []
        for step in range(self.steps):
            for takes_data in self.parts_of(model, step):
                args = (self.batch(model, strategy, random),) if takes_data else ((),)
                run = lambda args=args: strategy.run(model.train_step, args)  # noqa: E731
                found = tf.function(run, autograph=False)() if self.compiled else run()
                logs.append({k: float(strategy.reduce("MEAN", v, axis=None)) for k, v in found.items()})
        with strategy.scope():
            separate = {id(v) for v in model.per_replica_variables()}
            for variable in checkpoint.variables_of(model).values():
                parts = [v.numpy() for v in getattr(variable.value, "values", ())]
                same = all(np.array_equal(part, parts[0]) for part in parts)
                assert not parts or same != (id(variable) in separate), variable.path
            return logs, checkpoint.read_state(model)

    def parts_of(self, model, step):
        """Makes ready each part of a step; whether it takes data."""
        if not isinstance(model, AlphaGAN):
            model.choose_step(step)
            yield True
            return
        for phase, number in model.phases(step):
            if self.phases is None or phase in self.phases:
                model.choose_phase(phase, number)
                yield phase not in ("copy", "end")

    def batch(self, model, strategy, random):
        shape = (model.batches_per_step, BATCH)
        batch = {"images": random.uniform(-1, 1, (*shape, *model.sample_shape)).astype("float32")}
        if self.labels:
            batch["labels"] = random.integers(0, 3, shape).astype("int32")
        share = BATCH // strategy.num_replicas_in_sync

        def of_replica(context):
            start = context.replica_id_in_sync_group * share
            return {name: tf.constant(value[:, start : start + share]) for name, value in batch.items()}

        return strategy.experimental_distribute_values_from_function(of_replica)


def unlabelled(networks, *methods, **options):
    return Case(methods, networks, labels=False, **options)


def points(**options):
    return unlabelled(toys.scalar_networks, **options)


def supernets():
    keras.utils.set_random_seed(0)
    sizes = dict(resolution=8, channels=1, latent_dim=4, base_channels=2)
    pools = dict(normal_operations=("conv_1x1", "conv_3x3"), up_operations=("nearest", "bilinear"))
    return alphagan_supernet(**sizes, **pools), searches.critic()


def contrastive_networks():
    generator, _ = toys.classifier_networks()
    images = keras.Input((6, 6, 3))
    features = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, 2, activation="softplus")(images))
    heads = dict(num_classes=3, conditioning="contrastive", contrast_dim=4)
    return generator, discriminator_model(images, features, "D", **heads)


def feature_networks():
    generator, discriminator = toys.classifier_networks()
    features = discriminator.get_layer("features").output
    return generator, keras.Model(discriminator.input, discriminator.output | {"features": features})


ADVAS = (AdvAsGAN, GradientPenaltyGAN)
ADAPTIVE = {"ada_target": 0.0, "ada_interval": 1, "ada_speed": 0.032, "apa_target": -0.9, "apa_interval": 1}
ADAPTIVE |= {"apa_speed": 0.04, "pseudo_batch_size": BATCH}
LAZY = {"r1_interval": 2, "path_length_interval": 2, "path_length_decay": 0.5}
SEARCH = {"weight_steps": 1, "test_steps": 1, "architecture_steps": 1, **searches.HINGE}
PRUNED = {"warm_up_length": 1, "sparse_length": 1, "sparsity": 0.3, "dense_rate": 0.5}
ADAPTED = {"generator_density": 0.7, "discriminator_density": 0.7, "exchange_every": 1, "adjust_every": 1}
ADAPTED |= {"balance_every": 1, "balance_window": 1}
CASES = {
    "plain": Case((), joint_batch=True, discriminator_steps=2, ema_decay=0.9, has=["d/grad", "g/grad"]),
    "ratio": Case((), generator_batch_ratio=2, joint_batch=False, fake_class_weight=0.5, **WASSERSTEIN),
    "clipnorm": points(optimizer=sgd(clipnorm=0.02), **SQUARES),
    "global_clipnorm": points(optimizer=sgd(global_clipnorm=0.1), has=["d/grad"]),
    "clipvalue": points(optimizer=sgd(clipvalue=0.01)),
    "adam": points(steps=2, optimizer=lambda: TorchAdam(0.01, epsilon=0.1, weight_decay=0.1, clipnorm=0.02)),
    "rmsprop": points(steps=2, optimizer=lambda: TorchRMSprop(0.01, 0.9, 0.5, epsilon=0.1, weight_decay=0.1)),
    "penalties": Case((GradientPenaltyGAN, R1GAN, WeightClippedGAN, OrthogonalGAN), one_sided=True,
                      gradient_penalty_target=0.5, clip_limit=0.3, r2_weight=1.0, generator_batch_ratio=2),
    "advas": Case(ADVAS, smooth_networks, generator_batch_ratio=2, has=["g/advas", "g/adv", "g/grad"]),
    "advas of pairs": Case((AdvAsGAN,), advas_estimator="unbiased", advas_weight=0.01, advas_norms=False,
                           compiled=True, generator_batch_ratio=2),
    "advas of halves": Case((AdvAsGAN, R1GAN), advas_estimator="split_half", r1_weight=1.0, r2_weight=1.0),
    "advas alone": Case(ADVAS, advas_alone=True, detach_penalties=True, generator_batch_ratio=3,
                        advas_norms=False, fresh_real_batch=True),
    "fastgan": Case((FastGAN, R1GAN), perturbation_norm="l2", perturb_fakes=True, separate_updates=True,
                    perturbation_radius=0.3, perturbation_step=0.1, perturbation_batch_size=BATCH, r1_weight=1.0),
    "robgan": Case((RobGAN, DiffAugmentGAN), attack_radius=0.1, attack_step_size=0.04, has=["d/grad"]),
    "augmented": Case((DiffAugmentGAN, ADAGAN, APAGAN, FastGAN), steps=2, **ADAPTIVE,
                      perturbation_batch_size=BATCH, has=["d/real_sign", "d/ada", "d/apa"]),
    "style": unlabelled(lambda: test_style.networks(4), R1GAN, PathLengthGAN, StyleMixingGAN, steps=2, **LAZY,
                        optimizer=lambda: keras.optimizers.SGD(0.003), has=["d/r1", "g/path_length_mean"]),
    "r3gan": Case((R3GAN, DiffAugmentGAN), steps=2, optimizer=lambda: MovingAdam(0.01, 0.0, 0.9, epsilon=0.1),
                  burn_in=16, last_gamma=0.1, last_rate_share=0.25, last_beta_2=0.99, ema_half_life=50.0,
                  first_half_life=0.0, generator_loss=losses.relativistic_generator,
                  discriminator_loss=losses.relativistic_discriminator, has=["d/real_slope", "d/fake_slope"]),
    "studio": Case((LeCamPenaltyGAN, ConsistencyGAN, LatentConsistencyGAN), steps=2, has=["d/lecam"],
                   lecam_penalty_start=0, lecam_penalty_decay=0.5),
    "top k": Case((TopKGAN, AdvAsGAN), steps=2, top_k_decay=0.6, top_k_floor=0.2, top_k_interval=1,
                  whole="TopKGAN.top_k_decay", has=["g/top_k_share"]),
    "multi hinge": Case((MultiHingeGAN, AdvAsGAN), feature_networks, has=["g/feature_matching"],
                        whole="MultiHingeGAN.feature_matching_weight"),
    "contrastive": Case((ContrastiveGAN,), contrastive_networks, has=["d/contrastive", "g/contrastive"],
                        whole="ContrastiveGAN.contrastive_weight"),
    "regan": Case((ReGAN,), steps=3, pruned_networks="both", **PRUNED, has=["regan/density"]),
    "rggan": Case((RGGAN,), steps=2, threshold_weight=1e-6, ema_decay=0.9, has=["rggan/generator_density"]),
    "adapt": Case((AdaptGAN,), steps=2, **ADAPTED, has=["adapt/balance_ratio", "adapt/generator_density"]),
    "tickets": Case((TicketGAN,), smooth_networks, steps=2, round_length=1, has=["tickets/density"]),
    "octave": unlabelled(test_octave.networks, OctaveGAN, beta_schedule=combi, beta_steps=4),
    "progressive": unlabelled(growing.networks, ProgressiveGAN, steps=2, stage_steps=(1, 1)),
    "alphagan": unlabelled(supernets, AlphaGAN, **SEARCH, gumbel=True, test_generator_updates="both",
                           has=["d/grad"]),
    "single level": unlabelled(supernets, AlphaGAN, **SEARCH, single_level_weight=1.0,
                               phases=("copy", "architecture", "end")),
    # A small rate: some gradients are near Adam's epsilon, and rounding of theirs is larger in its steps.
    "adversarial search": unlabelled(supernets, AdversarialNASGAN, architecture_rate=1e-3),
    "random search": unlabelled(supernets, RandomSearchGAN),
    "began": unlabelled(toys.scalar_networks, BEGAN, steps=2, has=["began/k"]),
    "self-supervised": Case((SelfSupervisedGAN,), reconstruction_weight=0.0),
    "few layers": Case((FreezeDGAN,), frozen_layers=1),
}  # fmt: skip


# What replicas exchange, or keep for themselves, in micro-batches of theirs.
CUT_TWICE = ("advas", "advas of halves", "fastgan", "augmented", "style")


def assert_close(name, one, two):
    logs, state = one
    other_logs, other_state = two
    assert len(logs) == len(other_logs) >= CASES[name].steps
    for step, (mine, theirs) in enumerate(zip(logs, other_logs, strict=True)):
        assert mine.keys() == theirs.keys(), name
        for log, value in mine.items():
            message = f"{name}: {log} in part {step}"
            np.testing.assert_allclose(theirs[log], value, rtol=1e-4, atol=2e-6, err_msg=message)
    for start in CASES[name].has:
        assert any(log.startswith(start) for log in logs[0]), (name, start, list(logs[0]))
    assert state.keys() == other_state.keys()
    for variable, value in state.items():
        np.testing.assert_allclose(
            other_state[variable].reshape(value.shape),
            value,
            rtol=1e-5,
            atol=5e-6,
            err_msg=f"{name}: {variable}",
        )


def main(names=CASES):
    """Layers that see their batch are the documented exception, and see nothing of it here."""
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    BatchNormalization.call = lambda layer, inputs, training=False: inputs
    MinibatchStandardDeviation.call = lambda layer, inputs: tf.pad(
        inputs, [[0, 0], [0, 0], [0, 0], [0, layer.num_features]]
    )
    one_device, mirrored = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name in names:
        case = CASES[name]
        whole = case.train(one_device)
        assert_close(name, whole, case.train(mirrored))
        if case.whole is None:
            assert_close(name, whole, case.train(one_device, micro_batches=2))
        else:
            assert_refused(name)
        if name in CUT_TWICE:
            assert_close(name, whole, case.train(mirrored, micro_batches=2))
    print("replicas agree")


def assert_refused(name):
    """The option that makes a loss one of the whole batch is named, before anything is trained."""
    try:
        CASES[name].train(tf.distribute.get_strategy(), micro_batches=2)
    except ConfigError as error:
        assert str(error).startswith(f"{CASES[name].whole}: "), error
        return
    raise AssertionError(f"{name} is trained in micro-batches")
