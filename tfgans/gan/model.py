"""GAN: the base model. Methods are subclasses that extend or replace its hooks (`tfgans.methods`)."""

import keras
import tensorflow as tf

from tfgans import distribute, losses, schedules, xla
from tfgans.config import (
    ConfigError,
    Count,
    Function,
    Natural,
    NotNegative,
    OneOf,
    Positive,
    Seed,
    Within,
    check_count,
    configurable,
)
from tfgans.gan.accounting import Accounting
from tfgans.gan.accumulation import Accumulation
from tfgans.gan.average import GeneratorAverage
from tfgans.gan.driver import Driver, mean_logs
from tfgans.gan.fitting import Fitting, compatibility
from tfgans.gan.fitting.habits import Habits
from tfgans.gan.forwards import Forwards, batch_size
from tfgans.gan.generation import Generation
from tfgans.gan.hooks import hook
from tfgans.gan.label_draws import takes_labels
from tfgans.gan.learning_rates import LearningRates
from tfgans.gan.objectives import Objectives
from tfgans.gan.own_statistics import OwnStatistics
from tfgans.gan.places import BatchPlaces
from tfgans.layers.state import depends_on_batch, scheduled_state
from tfgans.weight_names import named_weights


@configurable
class GAN(
    Objectives,
    Forwards,
    LearningRates,
    GeneratorAverage,
    OwnStatistics,
    BatchPlaces,
    Accumulation,
    Generation,
    Accounting,
    Fitting,
    Habits,
    Driver,
):
    """Alternating training: `discriminator_steps` discriminator updates, then one generator update.

    Args:
        generator: latents [N, latent_dim] (and labels [N], if it has a second input) -> images in [-1, 1]
            [N, H, W, C], or points [N, D].
        discriminator: images (and labels, if it has a second input) -> logits [N, 1], or a dictionary with
            `adversarial` [N, 1] and, for an auxiliary classifier, `class` [N, num_classes].
        latent_dim: size of a latent; read off the generator's first input if not given.
        num_classes: number of classes of a conditional GAN; None trains without labels.
        label_distribution: classes of fakes, in training and outside: `data`, in the shares of the training set's
            labels (see `set_label_shares`), or `uniform`, all alike.
        label_shares: shares [num_classes] for `data`; None takes those of what the model is trained on.
        discriminator_loss, generator_loss: functions of logits, see `tfgans.losses`. Where the generator's is marked
            by `losses.takes_pairs`, losses are of pairs: both steps take as many fakes as real images, of their
            classes, and the data holds one more real batch for each step, which the generator's has for itself.
        discriminator_steps: discriminator updates for each generator update (n_critic), each on real images
            and latents of its own.
        generator_batch_ratio: size of the generator step's batch relative to the discriminator's, an integer.
        real_class_weight, fake_class_weight, generator_class_weight: weights of the auxiliary classifier's
            terms on real images, on fakes in the discriminator step, and in the generator step.
        fake_class_loss: `class_cross_entropy` (ACGAN) or a function of the same arguments.
        joint_batch: True sends real and fake images through the discriminator in one batch; False, as the
            published codes do, separately; None joins them where it makes no difference to the result, that
            is where no layer depends on its batch or changes state.
        freeze_discriminator_state: whether the generator step leaves the discriminator's statistics and
            spectral vectors alone. False moves them once more, as PyTorch code that runs it in training mode.
        ema_decay: decay a generator update of the moving average of the generator, in [0, 1); 0 keeps none.
        ema_half_life: in place of a decay, the images in which what was averaged falls to half its part.
        ema_ramp: how the average begins, `"updates"`, `"constant"` or a number: see `GeneratorAverage`.
        ema_start: generator updates before the average starts; until then it is a copy.
        ema_statistics: moving means and variances of the average: `"own"`, `"average"` or `"copy"`, see there.
        seed: of latents and everything else drawn in training.
    Raises: ConfigError if a value leaves its range or the networks do not fit each other.
    """

    replaces = ()

    def __init__(
        self,
        generator,
        discriminator,
        latent_dim: Count | None = None,
        num_classes: Count | None = None,
        label_distribution: OneOf("data", "uniform") = "data",
        label_shares=None,  # checked by `set_label_shares`, which takes arrays, too
        discriminator_loss: Function("@hinge_discriminator") = losses.non_saturating_discriminator,
        generator_loss: Function("@hinge_generator") = losses.non_saturating_generator,
        discriminator_steps: Count = 1,
        generator_batch_ratio: Count = 1,
        real_class_weight: NotNegative = 1.0,
        fake_class_weight: NotNegative = 1.0,
        generator_class_weight: NotNegative = 1.0,
        fake_class_loss: Function("@class_cross_entropy") = losses.class_cross_entropy,
        joint_batch: bool | None = None,
        freeze_discriminator_state: bool = True,
        ema_decay: Within("[0, 1)") = 0.0,
        ema_half_life: Positive | None = None,
        ema_ramp: OneOf("updates", "constant") | Positive = "updates",
        ema_start: Natural = 0,
        ema_statistics: OneOf("own", "average", "copy") = "own",
        seed: Seed = 0,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        compatibility.check_models(generator, discriminator)
        latent_dim = compatibility.checked_latent_dim(generator, latent_dim)
        self.generator, self.discriminator = generator, discriminator
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.choose_labels(label_distribution, label_shares)
        self.discriminator_loss, self.generator_loss = discriminator_loss, generator_loss
        self.discriminator_steps = discriminator_steps
        self.generator_batch_ratio = generator_batch_ratio
        self.real_class_weight, self.fake_class_weight = real_class_weight, fake_class_weight
        self.generator_class_weight, self.fake_class_loss = generator_class_weight, fake_class_loss
        self.joint_batch = joint_batch
        self.freeze_discriminator_state = freeze_discriminator_state
        self.of_pairs = losses.of_pairs(generator_loss)
        if self.of_pairs and generator_batch_ratio != 1:
            raise ConfigError(
                "GAN.generator_batch_ratio is 1 where GAN.generator_loss is of pairs of a real and a fake image. "
                f"Received: {generator_batch_ratio}"
            )
        self._build_networks()
        logits = tf.zeros((2, 1))
        losses.check("GAN.discriminator_loss", discriminator_loss, logits, logits)
        losses.check("GAN.generator_loss", generator_loss, *[logits] * (1 + self.of_pairs))
        self._add_average(ema_decay, ema_half_life, ema_ramp, ema_start, ema_statistics)
        self._trained_when_built = tuple(map(compatibility.weights_that_train, (generator, discriminator)))
        self.built = True

    def _build_networks(self):
        """Runs both networks symbolically, so that a subclassed network's weights exist before training."""
        latents = keras.KerasTensor((compatibility.EXAMPLES, self.latent_dim))
        labels = keras.KerasTensor((compatibility.EXAMPLES,), dtype="int32")
        for network in (self.generator, self.discriminator):
            if takes_labels(network, self.num_classes) and self.num_classes is None:
                raise ConfigError(f"{network.name} takes labels: set GAN.num_classes to their number")
        given = "latents" + self._told_labels(self.generator)
        with compatibility.explained(f"the generator does not take {given}"):
            images = self.synthesize({"latents": latents, "labels": labels})
        compatibility.check_images(self.generator, images)
        shape = tuple(images.shape[1:])
        given = f"the generator's output {shape}" + self._told_labels(self.discriminator)
        with compatibility.explained(f"the discriminator does not take {given}"):
            outputs = self.discriminate({"images": images, "labels": labels})
        compatibility.check_images_taken(self.discriminator, shape)
        labelled = any(takes_labels(n, self.num_classes) for n in (self.generator, self.discriminator))
        compatibility.check_outputs(self.discriminator, outputs, self.num_classes, labelled)
        compatibility.check_built(self, self.generator, self.discriminator)
        self.sample_shape = shape
        if self.joint_batch is None:
            self.joint_batch = not depends_on_batch(self.discriminator)

    def _told_labels(self, network):
        """What a message about a network's inputs says of labels."""
        if not takes_labels(network, self.num_classes):
            return ""
        unknown = getattr(network, "inputs", None) is None
        return " and labels" + (" (set its attribute conditional to False if it has none)" if unknown else "")

    @hook
    def compile(
        self,
        optimizer="adam",
        discriminator_optimizer="adam",
        learning_rate_schedule=None,
        jit_compile=False,
        steps_per_execution=1,
        accumulation_steps=1,
        run_eagerly=False,
    ):
        """Sets how to train.

        Args:
            optimizer, discriminator_optimizer: of the generator and of the discriminator. Gradients reach them
                as means over the global batch, which `clipnorm` and its like then clip.
            learning_rate_schedule: function of the number of generator updates done (AlphaGAN's outer steps), a
                factor on both optimizers' initial rates (`tfgans.schedules`), those before any schedule of this model
                moved them; None leaves the rates to callbacks.
            jit_compile: compile gradients and images with XLA; same numbers to rounding. Refused where XLA cannot
                compile for the processor.
            steps_per_execution: training steps between two looks of callbacks and of the divergence guard. On one
                replica, those of a kind that follow each other are a loop on the device, with the same numbers,
                to the bit or to rounding, see `steps.Looped`.
            accumulation_steps: micro-batches that the batch of every update is computed in, see `Accumulation`. It is
                the update of the whole batch; an optimizer's own `gradient_accumulation_steps` is another thing: its
                steps but the last move no weight, but averages, spectral vectors, schedules, counts and, in turn, the
                other network.
        Raises: ConfigError if optimizers do not fit, a method's loss cannot be computed in micro-batches, or one that
            keeps something for each weight that trains finds that others do.
        """
        check_count("compile: steps_per_execution", steps_per_execution)
        networks = self.generator, self.discriminator
        compatibility.check_built(self, *networks)
        compatibility.check_places(self.kept_by_place(), self._trained_when_built, networks)
        both = compatibility.checked_optimizers(optimizer, discriminator_optimizer)
        own = self.moved_by_own("generator"), self.moved_by_own("discriminator")
        compatibility.check_free(both, networks, own)
        if jit_compile:
            xla.check()
        if learning_rate_schedule is not None:
            schedules.check_settable(
                "learning_rate_schedule", dict(zip(("generator", "discriminator"), both, strict=True))
            )
        self.accumulate(accumulation_steps)
        optimizer, self.discriminator_optimizer = both
        super().compile(
            optimizer=optimizer,
            auto_scale_loss=False,
            jit_compile=False,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
        )
        self.use_xla = bool(jit_compile)  # Keras drops its own flag where op determinism is on
        self._xla_functions = {}
        self.keep_initial_rates()
        self.learning_rate_schedule = learning_rate_schedule
        with self.distribute_strategy.scope():
            for each, variables in zip(both, own, strict=True):
                each.build(variables)

    @hook
    def kept_by_place(self):
        """Names of options by which something is kept for each weight that trains; methods that do so extend this."""
        return ()

    @hook
    def moved_by_own(self, name):
        """The weights of the `generator` or `discriminator` that the optimizer given for it moves.

        All that train; methods with more than one optimizer a network extend this.
        """
        return getattr(self, name).trainable_variables

    @hook
    def optimizers(self):
        """Every optimizer by name; a method that has its own extends this."""
        return {"generator": self.optimizer, "discriminator": self.discriminator_optimizer}

    @hook
    def carried_over(self):
        """`{part: {name: variable}}` that another run can begin with: the networks and the average with its counts.

        Without `scheduled_state`. Methods extend it. Names are the same in every process, see `weight_names`.
        """
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        if self.ema_generator is not None:
            parts |= {"ema_generator": self.ema_generator}
        named = {part: named_weights(network, scheduled_state(network)) for part, network in parts.items()}
        if self.ema_generator is not None:
            named["average"] = {"updates": self.average_updates, "images": self.average_images}
        return named

    def call(self, inputs, training=False):
        """The generator's output: `inputs` are latents, or latents and labels."""
        return self.generator(inputs, training=training)

    # The step

    @hook
    def train_step(self, data):
        """One generator update.

        Args:
            data: {"images": [batches_per_step, N, H, W, C], "labels": [batches_per_step, N] or absent},
                as `tfgans.data` and `fit` make it; or images, or (images, labels), with N * batches_per_step
                images along the first axis. Images are in [-1, 1], or uint8.
        """
        self.set_learning_rates()
        batches = self.split_batch(data)
        updates = enumerate(batches[: self.discriminator_steps])
        logs = mean_logs([self.discriminator_update(index, real) for index, real in updates])
        logs |= self.generator_step(batches[-1])
        self.update_average(batch_size(batches[-1]) * self.generator_batch_ratio)
        self.finish_step()
        return logs

    @hook
    def discriminator_update(self, index, real):
        """`discriminator_step` number `index` of this step, from 0; methods add updates that are due after some."""
        repeats = self.discriminator_steps > 1
        return (self.traced_once(self.discriminator_step) if repeats else self.discriminator_step)(real)

    @hook
    def discriminator_step(self, real):
        """One update of the discriminator on real images and as many fresh fakes.

        Several in a training step are traced once (`traced_once`): what differs between them has to be a tensor or a
        variable.
        """
        fake = self.sample_beside(real)
        values, gradients = self.in_micro_batches(self.discriminator_gradients, real, fake)
        gradients = distribute.mean(gradients)
        self.update_discriminator(gradients)
        return values | {"d/gradient_norm": tf.linalg.global_norm(gradients)}

    @hook
    def generator_step(self, real):
        """One update of the generator on fresh latents; `real` is the last discriminator batch, or one of its own."""
        latents = self.generator_latents(batch_size(real) * self.generator_batch_ratio)
        latents |= self.labels_of_pairs(real)
        values, gradients = self.batch_generator_gradients(real, latents)
        gradients = distribute.mean(gradients)
        self.update_generator(gradients)
        return values | {"g/gradient_norm": tf.linalg.global_norm(gradients)}

    @hook
    def update_discriminator(self, gradients, regularizer=False):
        """As `update_generator`, of the discriminator."""
        distribute.apply_means(
            self.discriminator_optimizer, gradients, self.discriminator.trainable_variables
        )

    @hook
    def update_generator(self, gradients, regularizer=False):
        """Applies gradients, this replica's or their means: the means over replicas move the weights.

        Args: regularizer: whether this is an extra update, by the gradients of a regularizer alone.
        """
        distribute.apply_means(self.optimizer, gradients, self.generator.trainable_variables)

    @hook
    def evaluated(self, step, metrics):
        """Tells the model the row of metrics of an evaluation after `step` updates; perhaps again after a resume."""

    @hook
    def finish_step(self):
        """What follows the updates: replicas agree on statistics, the step is counted."""
        distribute.average(
            self.generator.non_trainable_variables + self.discriminator.non_trainable_variables
        )
        self.step.assign_add(1)
