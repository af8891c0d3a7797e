"""The two growing networks of ProGAN as layers, and how a method says at which stage they run (Karras et al., 2018).

A stage is a number from 0: images of 4 * 2^stage pixels a side. Every layer of every stage is there from the start.
"""

import functools

import keras
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.layers.embedding import class_rows
from tfgans.layers.equalized import EqualizedConv2D, EqualizedDense
from tfgans.layers.minibatch import MinibatchStandardDeviation
from tfgans.layers.norms import PixelNormalization
from tfgans.layers.recompute import recomputed
from tfgans.layers.resample import average_pool, upsample_nearest
from tfgans.layers.scopes import inside, local
from tfgans.layers.statistics import widen


def at_stage(stage):
    """Inside it, networks run at a stage that is known when they are traced, so that it is all they cost.

    The generator gives images of the stage's own size and fades by its weight `alpha`, and so does the discriminator.
    Under `tf.distribute` enter it inside the replica function.
    """
    return inside(stage=stage)


def given_stage():
    """The stage of `at_stage`, in the thread that entered it; None outside."""
    return getattr(local, "stage", None)


def side_of(stage):
    """Pixels a side of a stage's images."""
    return 4 * 2**stage


def growing_layers(network):
    """The layers of a network that have stages: one for ours, none for others."""
    return [layer for layer in keras_internals.layers_of(network) if isinstance(layer, _Growing)]


@keras.saving.register_keras_serializable(package="tfgans")
class LabelledLatents(keras.layers.Layer):
    """Latents [N, D] and labels [N] -> [N, D + num_classes]: one-hot labels behind latents (Karras et al., 2018)."""

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def call(self, latents, labels):
        rows = class_rows(tf.eye(self.num_classes, dtype=latents.dtype), labels)
        return tf.concat([latents, rows], 1)

    def compute_output_shape(self, latents_shape, labels_shape):
        return (latents_shape[0], latents_shape[1] + self.num_classes)

    def get_config(self):
        return super().get_config() | {"num_classes": self.num_classes}


class _Growing(keras.layers.Layer):
    """What both networks share: channels of the maps, `alpha`, blocks of two convolutions.

    Args:
        widths: channels of the maps of 4, 8, 16 ... pixels a side, one for each stage.
        recompute: in training the activations of each block are computed again in the backward pass.
    """

    copied_state = scheduled_state = ("alpha",)

    def __init__(self, widths, recompute=False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.widths, self.recompute = tuple(widths), recompute

    @property
    def stages(self):
        """How many stages there are."""
        return len(self.widths)

    def _add_state(self):
        self.alpha = self.add_weight(
            name="alpha", shape=(), initializer="ones", trainable=False, autocast=False
        )
        self.normalization = PixelNormalization(dtype=self.dtype_policy)

    def _convolution(self, name, inputs, filters, kernel_size=3, padding="same", **more):
        layer = EqualizedConv2D(
            filters, kernel_size, padding=padding, gain=2.0, name=name, dtype=self.dtype_policy, **more
        )
        layer.build((None, kernel_size, kernel_size, inputs))
        return layer

    def _activate(self, x):
        return tf.nn.leaky_relu(self.normalization(x), 0.1)

    def _block(self, layers, x, training):
        def outputs(x):
            for layer in layers:
                x = self._activate(layer(x))
            return x

        return recomputed(layers, outputs, x) if training and self.recompute else outputs(x)

    def _mixed(self, old, new):
        """(1 - alpha) * old + alpha * new."""
        alpha = tf.cast(tf.convert_to_tensor(self.alpha.value), new.dtype)
        return (1.0 - alpha) * old + alpha * new

    def get_config(self):
        return super().get_config() | {"widths": self.widths, "recompute": self.recompute}


@keras.saving.register_keras_serializable(package="tfgans")
class ProgressiveSynthesis(_Growing):
    """Latents to images: a 4x4 map, then for each stage nearest doubling and two convolutions, and a to-RGB each.

    At stage s above 0 the image is tanh((1 - alpha) up(rgb_{s-1}) + alpha rgb_s); at 4x4 it is rgb_0, without tanh.

    Args:
        channels: of the image.
        widths: channels of the maps of 4, 8, 16 ... pixels a side.
    Weights that do not train: `stage` and `alpha`, at first the last stage and 1, which say what inference shows.
    Input: latents [N, D]. Output: [N, R, R, channels] with R of the last stage; images of an earlier stage are
        enlarged by repeating pixels. In training mode it is the last stage without fading, whatever `stage`
        and `alpha` say. Inside `at_stage(s)` it is [N, r, r, channels], r = 4 * 2^s.
    """

    scheduled_state = ("alpha", "stage")

    def __init__(self, channels, widths, **kwargs):
        super().__init__(widths, **kwargs)
        self.channels = channels

    def build(self, latents_shape):
        self._add_state()
        self.stage = self.add_weight(
            name="stage",
            shape=(),
            dtype="int64",
            initializer=keras.initializers.Constant(self.stages - 1),
            trainable=False,
        )
        first, latent_dim = self.widths[0], latents_shape[-1]
        # A transposed convolution of one pixel, whose published fan-in is that of its outputs.
        self.first = EqualizedDense(
            16 * first,
            gain=2.0 * latent_dim / (16 * first),
            use_bias=False,
            name="first",
            dtype=self.dtype_policy,
        )
        self.first.build(latents_shape)
        self.bias = self.add_weight(name="bias", shape=(first,), initializer="zeros", autocast=False)
        self.blocks, self.images = [], []
        inputs = first
        for stage, width in enumerate(self.widths):
            side = side_of(stage)
            name = f"convolution{side}"
            first = self._convolution(f"{name}_1", inputs, width, upsampling=2 if stage else 1)
            self.blocks.append([first, self._convolution(f"{name}_2", width, width)])
            self.images.append(self._convolution(f"to_rgb{side}", width, self.channels, 1))
            inputs = width

    def variables_of(self, stage):
        """The weights that train from this stage on."""
        layers = [*self.blocks[stage], self.images[stage]]
        own = [] if stage else [*self.first.trainable_variables, self.bias]
        return own + [v for layer in layers for v in layer.trainable_variables]

    def call(self, latents, training=False):
        if given_stage() is not None:
            return self._at(given_stage(), latents, self._faded, training)
        if training:
            return self._at(self.stages - 1, latents, lambda old, new: new, training)
        return self._shown(latents)

    def _at(self, stage, latents, fade, training=False):
        """Images of a stage's size, [N, r, r, channels].

        Args:
            fade: joins those of the stage before, enlarged (a function, for not all need them), and the new ones.
        """
        width = self.widths[0]
        x = tf.reshape(self.first(tf.cast(latents, self.compute_dtype)), (-1, 4, 4, width))
        x = self._activate(x + tf.cast(tf.convert_to_tensor(self.bias), x.dtype))
        x = before = self._block(self.blocks[0], x, training)
        for layers in self.blocks[1 : stage + 1]:
            before = x
            x = self._block(layers, x, training)
        new = widen(self.images[stage](x))
        if not stage:
            return new
        old = lambda: upsample_nearest(widen(self.images[stage - 1](before)))  # noqa: E731
        return tf.tanh(fade(old, new))

    def _faded(self, old, new):
        return self._mixed(old(), new)

    def _shown(self, latents):
        """What the weights say, enlarged; of the stages only that one is computed."""

        def branch(stage):
            images = self._at(stage, latents, self._faded_if_fading)
            factor = 2 ** (self.stages - 1 - stage)
            return upsample_nearest(images, factor) if factor > 1 else images

        known = tf.get_static_value(tf.convert_to_tensor(self.stage.value))
        if known is not None:  # eagerly, and in an exported graph
            return branch(min(max(int(known), 0), self.stages - 1))
        show = functools.partial(branch, 0)
        for stage in range(1, self.stages):
            reached = tf.convert_to_tensor(self.stage.value) >= stage
            show = functools.partial(tf.cond, reached, functools.partial(branch, stage), show)
        return show()

    def _faded_if_fading(self, old, new):
        # A case and not a condition: `evaluate.cost` leaves it out, as published counts are of grown networks.
        alpha = tf.convert_to_tensor(self.alpha.value)
        known = tf.get_static_value(alpha)
        if known is not None:
            return self._faded(old, new) if known < 1.0 else new
        fading = tf.cast(alpha < 1.0, tf.int32)
        return tf.switch_case(fading, [lambda: new, lambda: self._faded(old, new)])

    def compute_output_shape(self, latents_shape):
        side = side_of(self.stages - 1)
        return (latents_shape[0], side, side, self.channels)

    def get_config(self):
        return super().get_config() | {"channels": self.channels}


@keras.saving.register_keras_serializable(package="tfgans")
class ProgressiveCritic(_Growing):
    """Images to logits: from-RGB, for each stage two convolutions and 2x2 means, at 4x4 deviation and three layers.

    The images' size says at which stage. Inside `at_stage`, what comes out of the first block is faded:
    (1 - alpha) fromRGB_{s-1}(mean(x)) + alpha * it.

    Args:
        widths: channels of the maps of 4, 8, 16 ... pixels a side.
        num_classes: of an auxiliary classifier's head beside the other; None: there is none.
    Weight that does not train: `alpha`.
    Input: images [N, r, r, C], r = 4 * 2^s of any stage s. Output: logits [N, 1], float32; with classes
        {"adversarial": those, "class": [N, num_classes]}.
    Raises: ConfigError for images of another size.
    """

    depends_on_batch = True
    mixes_samples = True

    def __init__(self, widths, num_classes=None, **kwargs):
        super().__init__(widths, **kwargs)
        self.num_classes = num_classes

    def build(self, images_shape):
        self._add_state()
        channels, widths = images_shape[-1], self.widths
        self.deviation = MinibatchStandardDeviation(None, name="deviation", dtype=self.dtype_policy)
        self.deviation.build((None, 4, 4, widths[0]))
        self.inputs_of_stages = [
            self._convolution(f"from_rgb{side_of(stage)}", channels, width, 1)
            for stage, width in enumerate(widths)
        ]
        last = self._convolution("last_convolution", widths[0] + 1, widths[0])
        whole = self._convolution("whole_map", widths[0], widths[0], 4, "valid")
        self.blocks = [[last, whole]]
        for stage in range(1, self.stages):
            name, (smaller, width) = f"convolution{side_of(stage)}", widths[stage - 1 : stage + 1]
            first = self._convolution(f"{name}_1", width, smaller)
            self.blocks.append([first, self._convolution(f"{name}_2", smaller, smaller)])
        wide = "float64" if self.variable_dtype == "float64" else "float32"
        self.head = EqualizedDense(1, gain=2.0, name="adversarial_head", dtype=wide)
        self.heads = {"adversarial": self.head}
        if self.num_classes is not None:
            self.class_head = EqualizedDense(self.num_classes, gain=2.0, name="class_head", dtype=wide)
            self.heads["class"] = self.class_head
        for head in self.heads.values():
            head.build((None, widths[0]))

    def variables_of(self, stage):
        """The weights that train from this stage on."""
        layers = [*self.blocks[stage], self.inputs_of_stages[stage]]
        layers += [] if stage else self.heads.values()
        return [v for layer in layers for v in layer.trainable_variables]

    def call(self, images, training=False):
        sides = [side_of(stage) for stage in range(self.stages)]
        if tuple(images.shape[1:3]) not in [(side, side) for side in sides]:
            allowed = ", ".join(map(str, sides))
            raise ConfigError(
                f"{self.name} takes square images of {allowed} pixels. Received: {images.shape[1:3]}"
            )
        stage = sides.index(images.shape[1])
        images = tf.cast(images, self.compute_dtype)
        x = self.inputs_of_stages[stage](images)
        for level in range(stage, 0, -1):
            x = average_pool(self._block(self.blocks[level], x, training))
            if level == stage and given_stage() is not None:
                x = self._mixed(self.inputs_of_stages[level - 1](average_pool(images)), x)
        x = self._block(self.blocks[0], self.deviation(x), training)
        x = tf.reshape(widen(x), (-1, self.widths[0]))
        outputs = {name: head(x) for name, head in self.heads.items()}
        return outputs if self.num_classes else outputs["adversarial"]

    def compute_output_shape(self, images_shape):
        logits = (images_shape[0], 1)
        return (
            {"adversarial": logits, "class": (images_shape[0], self.num_classes)}
            if self.num_classes
            else logits
        )

    def get_config(self):
        return super().get_config() | ({"num_classes": self.num_classes} if self.num_classes else {})
