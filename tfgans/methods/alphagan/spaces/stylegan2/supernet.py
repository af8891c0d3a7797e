"""The supernet of StyleGAN2's generator: every layer mixes all operations, and all outputs of the mapping."""

import functools

import keras
import tensorflow as tf

from tfgans.config import ConfigError, Count, Positive, Several, Side, configurable
from tfgans.layers.state import state_is_frozen
from tfgans.methods.alphagan.spaces.autogan.supernet import Supernet
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.methods.alphagan.spaces.stylegan2.genotype import from_architecture, random_genotype
from tfgans.methods.alphagan.spaces.stylegan2.operations import MixedStyledConv2D, check_modulated
from tfgans.networks.parts import float_dtype
from tfgans.networks.stylegan2 import map_widths
from tfgans.networks.stylegan2_parts import StyleMapping, StyleSynthesis


@keras.saving.register_keras_serializable(package="tfgans")
class MixedStyleMapping(StyleMapping):
    """`StyleMapping` whose style slots take weighted sums of W_1 .. W_L.

    Input: latents [N, D], and `weights` [slots, L], or None for `style_layers`. Output: styles [N, slots, style_dim].
    """

    def call(self, latents, weights=None, training=False):
        outputs = self.intermediates(latents)
        if training and not state_is_frozen():
            self._move_mean(outputs)
        if weights is None:
            return tf.stack([outputs[number - 1] for number in self.style_layers], 1)
        outputs = tf.stack(outputs, 1)  # [N, L, style_dim]
        return tf.einsum("sl,nld->nsd", tf.cast(weights, outputs.dtype), outputs)


@keras.saving.register_keras_serializable(package="tfgans")
class MixedSynthesis(StyleSynthesis):
    """`StyleSynthesis` each of whose convolutions mixes a pool of operations.

    Args:
        channels: of the image.
        widths: channels of the maps of 4, 8, 16 ... pixels a side.
        normal_operations, up_operations: the pools.
        modulated: of separable convolutions.
    Input: styles, `weights`, a list of a vector [operations] for each of L_1 .. L_m, and noise as `StyleSynthesis`.
    """

    def __init__(self, channels, widths, normal_operations, up_operations, modulated="depthwise", **kwargs):
        super().__init__(channels, widths, (3,) * len(widths), **kwargs)
        self.normal_operations, self.up_operations = tuple(normal_operations), tuple(up_operations)
        self.modulated = modulated

    def _make_convolution(self, width, kernel_size, up, **options):
        pool = self.up_operations if up else self.normal_operations
        return MixedStyledConv2D(pool, width, self.modulated, **options)

    def call(self, styles, weights, noise=None):
        pairs = zip(self.convolutions, weights, strict=True)
        return self._synthesize(styles, noise, [functools.partial(layer, weights=w) for layer, w in pairs])

    def get_config(self):
        config = super().get_config()
        del config["kernel_sizes"]
        return config | {
            "normal_operations": self.normal_operations,
            "up_operations": self.up_operations,
            "modulated": self.modulated,
        }


@configurable(name="alphagan_stylegan2_supernet")
@keras.saving.register_keras_serializable(package="tfgans")
class StyleGAN2Supernet(Supernet):
    """StyleGAN2's generator with all operations of two pools in every layer, and all of W_1 .. W_8 before it.

    A layer's output is the weighted sum of the outputs of its operations, each of which has weights, style affine,
    noise strength and bias of its own; a style is the weighted sum of the W_i, which the paper does not spell out.
    The weights are `architecture_variables`: `normal` and `up`, a row for each of their layers, or one that all
    share (micro); in the paradigms with `_w`, `latents`, a row for each of L_1 .. L_m and the last to-RGB, else all
    take W_8. To-RGB layers are not searched, and share their style as in `space`.

    A forward costs the sum of its operations: 35/9 of StyleGAN2 in normal layers with the default pool, and in
    up-sampling ones a convolution of the small map and two of the large one. The default is an eighth of config-f's
    channels, the search's of the paper.

    The supernet has no styles in the sense of StyleGAN2's methods: latents are all it takes, so that there is
    neither style mixing nor truncation towards the mean of w while one searches (the paper names both for
    re-training), and noise is each layer's fixed noise unless `noise` is given.

    Args:
        resolution: of the square images, a power of two of at least 8.
        paradigm: `micro`, `micro_w`, `macro` or `macro_w`.
        channels, latent_dim, style_dim, channel_multiplier, max_channels, base_channels: as `stylegan2_generator`.
        normal_operations, up_operations: the pools; an operation's place is its column of the architecture weights.
        modulated: which kernel of separable convolutions the style scales, `depthwise` or `pointwise`.
    Input: latents [N, latent_dim]; `mixing`, None for the softmax of the model's own architecture weights, or a
        list of tensors [edges, operations] to mix with; `noise` as `StyleSynthesis`.
    Output: images [N, resolution, resolution, channels], not bounded, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """

    def __init__(
        self,
        resolution: Side = 128,
        paradigm: str = "micro_w",
        channels: Count = 3,
        latent_dim: Count = 512,
        style_dim: Count = 512,
        channel_multiplier: Positive = 0.25,
        max_channels: Count = 64,
        base_channels: Count | None = None,
        normal_operations: Several(str) = space.NORMAL_OPERATIONS,
        up_operations: Several(str) = space.UP_OPERATIONS,
        modulated: str = "depthwise",
        **kwargs,
    ):
        name = "alphagan_stylegan2_supernet"
        space.check_resolution(name, resolution)
        check_modulated(name, modulated)
        widths = map_widths(name, resolution, channel_multiplier, max_channels, base_channels)
        rows = space.architecture_rows(resolution, paradigm, normal_operations, up_operations)
        super().__init__((latent_dim,), rows, **{"name": name} | kwargs)
        self.resolution, self.paradigm = resolution, paradigm
        self.channels, self.latent_dim, self.style_dim = channels, latent_dim, style_dim
        self.channel_multiplier, self.max_channels = channel_multiplier, max_channels
        self.base_channels, self.modulated = base_channels, modulated
        self.normal_operations, self.up_operations = tuple(normal_operations), tuple(up_operations)
        self._build_layers(widths)
        self.built = True

    def _build_layers(self, widths):
        slots = 2 * len(widths)
        # Their names are not those of the layers of a generator with styles: see above.
        self.mapping = MixedStyleMapping(
            self.style_dim,
            space.NUM_LATENTS,
            (space.NUM_LATENTS,) * slots,
            dtype=float_dtype(),
            name="mixed_mapping",
        )
        self.mapping.build((None, self.latent_dim))
        self.synthesis = MixedSynthesis(
            self.channels,
            widths,
            self.normal_operations,
            self.up_operations,
            self.modulated,
            name="mixed_synthesis",
            dtype=self.dtype_policy,
        )
        self.synthesis.build((None, slots, self.style_dim))

    def call(self, inputs, training=False, mixing=None, noise=None):
        mixing = self.named(mixing)
        styles = self.mapping(inputs, mixing.get("latents"), training=training)
        maps = len(self.synthesis.widths)
        # L_1 is normal; after it, L_2, L_3 = up, normal and so on.
        normal, up = (self._unstacked(mixing[name], n) for name, n in (("normal", maps), ("up", maps - 1)))
        weights = [normal[0]] + [w for pair in zip(up, normal[1:], strict=True) for w in pair]
        return self.synthesis(styles, weights, noise)

    def _unstacked(self, weights, layers):
        """A vector for each layer; that of the one row if they share it."""
        rows = tf.unstack(weights)
        return rows if len(rows) == layers else rows * layers

    retrained_by = "alphagan_stylegan2_generator.genotype"  # the parameter that takes what was found

    def draw(self, genotype):
        """The picture of a genotype of this space, uint8 [H, W, 3]."""
        # Here, as Matplotlib is not needed to train.
        from tfgans.methods.alphagan.spaces.stylegan2.picture import draw_stylegan2_genotype

        return draw_stylegan2_genotype(genotype)

    def genotype(self):
        """The `StyleGAN2Genotype` of the largest architecture weight on every edge."""
        return from_architecture(self.architecture_arrays(), dict(self._architecture_rows), self.resolution)

    def random_genotype(self, seed):
        """A `StyleGAN2Genotype` of the same space, drawn uniformly; a function of `seed`."""
        return random_genotype(seed, dict(self._architecture_rows), self.resolution)

    def mixing_of(self, genotype):
        """The mixing that takes a genotype's operations and latents alone.

        Raises: ConfigError if the genotype is not of this space.
        """
        mixing, rows = [], dict(self._architecture_rows)
        if genotype.resolution != self.resolution:
            raise ConfigError(f"{self.name} is for {self.resolution}. Received: {genotype.resolution}")
        if "latents" not in rows and set(genotype.latents) != {space.NUM_LATENTS}:
            raise ConfigError(f"{self.name} has no latents to choose. Received: {genotype.latents}")
        for name, (edges, pool) in rows.items():
            chosen = genotype.group(name)
            shared = edges == 1 and len(set(chosen)) == 1
            if (len(chosen) != edges and not shared) or not set(chosen) <= set(pool):
                raise ConfigError(
                    f"{self.name}: {name} takes {edges} of {', '.join(pool)}. Received: {', '.join(chosen)}"
                )
            mixing.append(tf.one_hot([pool.index(each) for each in chosen[:edges]], len(pool)))
        return mixing

    def get_config(self):
        return super().get_config() | {
            "resolution": self.resolution,
            "paradigm": self.paradigm,
            "channels": self.channels,
            "latent_dim": self.latent_dim,
            "style_dim": self.style_dim,
            "channel_multiplier": self.channel_multiplier,
            "max_channels": self.max_channels,
            "base_channels": self.base_channels,
            "normal_operations": self.normal_operations,
            "up_operations": self.up_operations,
            "modulated": self.modulated,
        }


alphagan_stylegan2_supernet = StyleGAN2Supernet
