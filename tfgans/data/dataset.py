"""`Dataset`: what gin files name; a source, its options, training batches and the evaluation reference."""

import copy
import functools
import logging

import numpy as np

from tfgans import progress
from tfgans.config import (
    ConfigError,
    Count,
    FilePath,
    Instance,
    Natural,
    NotNegative,
    OneOf,
    Seed,
    Several,
    Size,
    Within,
    configurable,
)
from tfgans.data.balance import BalancedOrder
from tfgans.data.decode import colour
from tfgans.data.labels import (
    absent_classes,
    as_int32,
    called,
    count_labels,
    kinds_of,
    number_of_classes,
    refuse_absent,
    tell_lost,
)
from tfgans.data.pipeline import Augmentation, Batches
from tfgans.data.reference import Reference
from tfgans.data.sources import check_split, find_source, short_name, title
from tfgans.data.store import Form, ImageStore, PointStore
from tfgans.data.subset import (
    classes_given,
    hold_out,
    items_of_classes,
    select_classes,
    select_fraction,
    select_half,
)

logger = logging.getLogger(__name__)


@configurable
class Dataset(Reference):
    """Images (or points) for training and for evaluation, read and checked when constructed.

    Args:
        source: `digits`, `photos`, `glyphs`, `ring`, `grid`, `tfds:<name>`, `folder:<path>`, `zip:<path>`,
            `packed:<path>` or `npz:<path>`, see `sources.py`, `glyphs.py`, `mixtures.py`, `tfds.py`, `folder.py`,
            `zips.py`, `packed.py`, `npz.py`; or an object as `sources.py` says, `@my_source()`.
        batch_size: images of a discriminator step, over all replicas.
        resolution: side of squares in pixels, or (height, width); None keeps the images' own size (photos: 64,
            glyphs: 32), which must then be the same for all.
        channels: 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha); None: 1 if every image is gray, else 3.
        background: colour, by name or as #rrggbb, that images with alpha are put on, unless alpha is a channel.
        num_classes: labels must be below it, and each class must have an image; None: as many as there are, and who
            trains with labels asks `check_classes`. None if there are no labels.
        crop: `center`: the image becomes as small as still covers `resolution`, then the middle is cut out; `random`:
            the same with a new position at every access; `none`: squashed to it.
        flip: mirror half of the training images, anew at every access.
        random_area: (low, high), or None: every access cuts a window of the shape of `resolution` and of this
            share of the image's area at a random place and resizes it bilinearly, see `pipeline.view`; `crop` is then
            for the reference alone. FastGAN has (0.8, 1.0), with `flip`.
        classes: indices or names of the classes to keep, relabelled 0, 1, ... in this order.
        classes_file: instead of `classes`, a text file of them, one a line, such as ImageNet-143's.
        fraction: share of the training images to use: floor(fraction * n).
        fraction_order: which: `random`, or `first` in the order of the source (Re-GAN's code).
        fraction_seed: seed of the random fraction and of the random halves.
        half: 0 or 1 for one of two disjoint halves (architecture search), taken of the fraction; None: both.
        half_order: `random`, or `contiguous` in the order of the source (AlphaGAN's code).
        use_labels: False drops the labels, after `classes`.
        balance: every class comes equally often, see `BalancedOrder`: an epoch of n images of K classes has
            ceil(n / K) of each, small classes repeated.
        split: split to train on. evaluation_split: split of `reference`; where a source has no split
            `test` (folders, npz, some of tfds), `test` means the training split, that is all of its
            images whatever `fraction` and `half` are.
        evaluation_flip: `reference` also has the mirror image of each image, as StyleGAN2's code compares with.
        evaluation_source: where the images of `reference` come from, if not from `source`: another one,
            such as `folder:tiny-imagenet-200/val/images`, opened when it is first asked for.
        on_bad_image: `fail`: images that are unreadable, truncated, tiny or no images end the run before training;
            `skip`: they are left out and counted in `skipped`. Of more than 20,000 images that are not held in
            memory and not packed only the headers are read before training: one that turns out to be truncated
            when it is decoded ends the run there, with its name, or (`skip`) the next usable one that is trained
            on takes its place, with its own label.
        min_size: an image is tiny if its shorter side has fewer pixels; None: a quarter of `resolution`'s.
        memory_limit_gb: images are held decoded in memory up to this (1e9 bytes), else read when needed. What a
            first start finds out about the files of a folder is kept in the user's cache: a second one opens
            none of them, and decodes none that are not held in memory.
        data_dir, image_key, label_key: see `tfds.py`.
    Attributes: name, num_examples (trained on), num_classes, item_shape ((H, W, C) or (2,)), class_names
        (or None), labels (int32 [num_examples], or None), label_counts, label_shares, skipped, batch_size; modes
        (float32 [M, 2]) and mode_std of ring and grid, else None.
    Raises: ConfigError, one line, for whatever cannot be run.
    """

    def __init__(
        self,
        source: str | Instance("@my_source()") | None = None,
        batch_size: Count = 64,
        resolution: Size | None = None,
        channels: OneOf(1, 2, 3, 4) | None = None,
        num_classes: Count | None = None,
        crop: OneOf("center", "random", "none") = "center",
        flip: bool = False,
        fraction: Within("(0, 1]") = 1.0,
        classes: Several(str | Natural) | None = None,
        classes_file: FilePath | None = None,
        split: str = "train",
        half: OneOf(0, 1) | None = None,
        on_bad_image: OneOf("fail", "skip") = "fail",
        data_dir: FilePath | None = None,
        evaluation_split: str = "test",
        evaluation_source: str | Instance("@my_source()") | None = None,
        fraction_seed: Seed = 0,
        fraction_order: OneOf("random", "first") = "random",
        half_order: OneOf("random", "contiguous") = "random",
        random_area: Several(Within("(0, 1]"), 2) | None = None,
        min_size: Count | None = None,
        memory_limit_gb: NotNegative = 4.0,
        image_key: str | None = None,
        label_key: str | None = None,
        use_labels: bool = True,
        balance: bool = False,
        evaluation_flip: bool = False,
        background: str = "white",
    ):
        self.source, self.batch_size = title(source), batch_size
        self.resolution, self.channels, self.background = resolution, channels, background
        self._background = colour(background, "Dataset.background")
        self.crop, self.flip, self.random_area = crop, flip, random_area
        self.on_bad_image, self.min_size, self.memory_limit_gb = on_bad_image, min_size, memory_limit_gb
        self.split, self.evaluation_split, self.use_labels = split, evaluation_split, use_labels
        self.evaluation_source, self.evaluation_flip = evaluation_source, evaluation_flip
        self.balance, self._conditional = balance, num_classes is not None or balance
        if random_area is not None and random_area[0] > random_area[1]:
            raise ConfigError(f"Dataset.random_area is (low, high) with low <= high. Received: {random_area}")
        self.classes = classes_given(classes, classes_file)
        self.name = short_name(self.source)
        where = dict(data_dir=data_dir, image_key=image_key, label_key=label_key)
        self._where = where | {"memory_limit_gb": memory_limit_gb}
        self._origin = find_source(source, **self._where)
        self.modes, self.mode_std = self._modes()
        self.resolution = self._resolution()
        self._stores, self._found, self._known, self._told = {}, {}, 0, set()
        self._share, self._kinds = fraction, (None, None)
        self._store, labels, self.class_names = self._open(split)
        self.item_shape = self._store.item_shape
        self.num_classes = number_of_classes(labels, self.class_names, num_classes, self.source, use_labels)
        indices = select_fraction(np.arange(len(self._store)), fraction, fraction_order, fraction_seed)
        if fraction < 1.0:
            tell_lost(self.source, *self._kinds, indices, fraction, fraction_order)
        self._labels, self._fraction = labels, (fraction, indices)
        self._take(indices, half, half_order, fraction_seed)
        if balance and labels is None:
            raise ConfigError(f"Dataset.balance needs labels, and {self.source} has none")
        if self._conditional or self.classes is not None:
            self.check_classes(every=self._conditional)

    def _take(self, indices, half, *how):
        """Trains on these items of the split, or on a half of them."""
        self._half = (half, *how)
        self._indices = select_half(indices, *self._half)
        self.num_examples = len(self._indices)
        self.labels = None if self._labels is None else self._labels[self._indices]

    @property
    def label_counts(self):
        """How many images of each class are trained on: int64 [num_classes], or None without labels."""
        return None if self.labels is None else count_labels(self.labels, self.num_classes)

    @property
    def label_shares(self):
        """The share of each class in training batches: float64 [num_classes], or None without labels."""
        if self.labels is None:
            return None
        counts = np.ones(self.num_classes) if self.balance else self.label_counts
        return counts / counts.sum()

    def check_classes(self, every=True):
        """Refuses classes without an image.

        Args:
            every: also those whose images are not trained on; else only those that the source has none of.
        Raises: ConfigError that names the classes, the reason and what to do.
        """
        if self._labels is None:
            return
        (fraction, indices), half = self._fraction, self._half[0]
        stages = [
            (self._found[self.split], "the data has none", None),
            (self._labels, "Dataset.on_bad_image = 'skip' left out all of them", "mend those"),
            (
                self._labels[indices],
                f"Dataset.fraction = {fraction} takes none of them",
                "raise the fraction",
            ),
            (self.labels, f"half {half} has none of them", "have more images"),
        ]
        refuse_absent(self.source, stages if every else stages[:1], self.class_names, self.num_classes)

    def halves(self):
        """Two datasets of the disjoint halves 0 and 1 of this one's training images, with the same store.

        Raises: ConfigError if this one is a half itself.
        """
        half, *how = self._half
        if half is not None:
            raise ConfigError(f"Dataset.half must be None: both halves are needed. Received: {half}")
        parts = copy.copy(self), copy.copy(self)
        for number, part in enumerate(parts):
            part._take(self._indices, number, *how)
        return parts

    def without(self, share, seed):
        """Two data sets, of this one's training images but a share of each class, and of that share.

        Args:
            share: of each class, in (0, 1); at least one image, of a class that has two.
            seed: of the drawing.
        Raises: ConfigError without labels.
        """
        if self.labels is None:
            raise ConfigError(f"{self.source} has no labels")
        held = hold_out(self.labels, share, seed)
        parts = copy.copy(self), copy.copy(self)
        for part, chosen in zip(parts, (~held, held), strict=True):
            part._take(self._indices[chosen], None)
        return parts

    def check(self, discriminator_steps, replicas=1):
        """Raises ConfigError if there are too few images for one batch, or a batch cannot be shared out."""
        if self.batch_size > self.num_examples:
            part = "" if self._half[0] is None else " in a half of them"
            raise ConfigError(
                f"too few images for one step: {self.num_examples}{part}, but it takes "
                f"{self.batch_size * discriminator_steps} (batch_size {self.batch_size} x "
                f"{discriminator_steps} real batches), and batch_size is at most the number of images"
            )
        if self.batch_size % replicas:
            raise ConfigError(
                f"Dataset.batch_size must be a multiple of the number of replicas, {replicas}. "
                f"Received: {self.batch_size}"
            )

    def batches(
        self, discriminator_steps, seed, start_step=0, first_replica=0, local_replicas=1, total_replicas=1
    ):
        """Training batches without end.

        Args:
            discriminator_steps: batches of a step. seed: of order and augmentation.
            start_step: the step to begin at; batches depend on the step alone, not on where one began.
            first_replica, local_replicas, total_replicas: whose share of the global batch to read.
        Returns: tf.data.Dataset of {"images": float32 [discriminator_steps, n, H, W, C] (points:
            [discriminator_steps, n, 2]) in [-1, 1], "labels": int32 [discriminator_steps, n] if there
            are labels}, n = batch_size / total_replicas. Element e belongs to step start_step +
            e // local_replicas and to replica r = first_replica + e % local_replicas; it is
            [:, r * n : (r + 1) * n] of the global batch.
        Raises: ConfigError if there are fewer images than `batch_size`, or it is not a multiple of the replicas.
        """
        self.check(discriminator_steps, total_replicas)
        order = BalancedOrder(self.labels, self.num_classes, seed) if self.balance else None
        shape = discriminator_steps, self.batch_size
        augmentation = Augmentation(self.flip, self.random_area)
        batches = Batches(self._store, self._indices, self._labels, shape, seed, augmentation, order)
        batches.tell_turns(self.source, self._told)
        return batches.dataset(start_step, first_replica, local_replicas, total_replicas)

    def _open(self, split):
        """(store, labels int32 of its items or None, class names or None) of a split, kept once read."""
        if split in self._stores:
            return self._stores[split]
        self._check_split(split)
        with progress.phase(f"opening {self.source}"):
            items = self._origin.open(split)
        (indices, labels, names), self._known = items_of_classes(
            items, self.classes, self.use_labels, self.source, split, self._known
        )
        if self.modes is not None:
            store = PointStore(items, indices)
        else:
            uncut = self.random_area is not None and self.crop != "none"
            limits = self.min_size, self.memory_limit_gb
            form = Form(self.resolution, self.channels, self.crop, *limits, uncut, self._background)
            reopen = functools.partial(self._origin.open, split)
            store = ImageStore(items, indices, self.source, form, self.on_bad_image, reopen)
        if split == self.split and self._share < 1.0:
            self._kinds = kinds_of(items, indices, store.kept)
        self._found[split] = labels
        self._stores[split] = (
            store,
            None if labels is None else as_int32(labels[store.kept], self.source),
            names,
        )
        if self._conditional and split != self.split:
            self._tell_absent(split)
        return self._stores[split]

    def _tell_absent(self, split):
        """Says which classes images to compare with have none of."""
        absent = absent_classes(self._stores[split][1], self.num_classes)
        if len(absent):
            line = "%s: split %r, which generated images are compared with, has no image of %s"
            logger.info(line, self.source, split, called(absent, self.class_names))

    def _check_split(self, split):
        check_split(self._origin, split, self.source)

    def _modes(self):
        modes = getattr(self._origin, "modes", None)
        if modes is None:
            return None, None
        for option in ("resolution", "channels", "flip", "random_area", "evaluation_flip"):
            if getattr(self, option):
                raise ConfigError(f"Dataset.{option} is for images; {self.source} has points")
        if self.classes is not None:
            chosen, labels, _ = select_classes(np.arange(len(modes)), None, self.classes)
            modes = modes[chosen[np.argsort(labels)]]
        return modes, self._origin.mode_std

    def _resolution(self):
        if self.modes is not None:
            return None
        found = self.resolution or getattr(self._origin, "default_resolution", None)
        if hasattr(self._origin, "check_use"):
            self._origin.check_use(found, self.crop, self.random_area, self.background, self.channels)
        return found
