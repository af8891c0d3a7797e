"""One run of `evidence.py`: as `launch/train.py` with the same flags, and evaluations tell more.

    python benchmarks/evidence_run.py --gin_file=A.gin [--gin_param=...] [--seed=0] [--advas_r] --model_dir=runs/a

More in each row of `metrics.jsonl`, of images that the metrics reported do not see where that matters:
`validation_fid`, of other latents and of the training images, by which the best checkpoint may be chosen;
`pixel_variety` and `pixel_nearest`, which fall where the generator collapses (`variety`). With --advas_r also
`advas_r` (`squared_slope`).
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import numpy as np
from absl import flags

from tfgans.commands import actions, command_line
from tfgans.commands import flags as command_flags

FLAGS = flags.FLAGS
VALIDATION_SAMPLES = 1000
VARIETY_SAMPLES = 500
SLOPE_SAMPLES = 1024
SLOPE_BATCH = 64


def squared_distances(images):
    """Of all pairs among images [n, ...]: float64 [n, n], infinite between an image and itself."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255.0
    flat -= flat.mean(axis=0)
    squares = np.sum(flat.astype(np.float64) ** 2, axis=1)
    found = np.maximum(squares[:, None] + squares - 2.0 * (flat @ flat.T), 0.0)
    np.fill_diagonal(found, np.inf)
    return found


def spread(images):
    """Mean squared distance of two of the images, and the median distance of one to its nearest other one."""
    squared = squared_distances(images)
    mean = float(np.mean(squared[np.isfinite(squared)]))
    return mean, float(np.median(np.sqrt(squared.min(axis=1))))


def variety(real, generated):
    """How varied generated images are in their pixels, over as many real ones: 1 is alike, 0 one image for all.

    `pixel_variety` is the ratio of the mean squared distances of two images; it sees a collapse to one image.
    `pixel_nearest` is the ratio of the medians of distances to the nearest other image; a collapse to some images,
    each made again and again, is seen by it, and blurred images lower it, too.

    Args: real, generated: uint8 [n, H, W, C], n > 1.
    """
    names = ("pixel_variety", "pixel_nearest")
    pairs = zip(names, spread(generated), spread(real), strict=True)
    return {name: ours / max(theirs, 1e-12) for name, ours, theirs in pairs}


def squared_slope(model, dataset):
    """AdvAs's r of the present networks: the squared norm of the gradient that would train the discriminator.

    That is of its whole loss, penalties in it, by all its weights; the gradient is a mean over some training images
    and as many fakes, so that r is hardly biased by the noise of a batch.
    """
    import tensorflow as tf

    from tfgans.evaluate.duality import as_game

    with as_game(model) as game:
        variables, sums, count = game.discriminator.trainable_variables, None, 0
        for images, labels in dataset.reference(dataset.split, limit=SLOPE_SAMPLES, batch_size=SLOPE_BATCH):
            data = {"images": images} | ({} if labels is None else {"labels": labels})
            data = {k: tf.broadcast_to(v, (game.batches_per_step, *v.shape)) for k, v in data.items()}
            real, latents = game.split_batch(data)[0], game.draw_latents(len(images))
            fake = latents | {"images": game.synthesize(latents, training=True)}
            _, slopes = game.gradients_of(variables, lambda r=real, f=fake: game.discriminator_terms(r, f))
            sums = slopes if sums is None else [a + b for a, b in zip(sums, slopes, strict=True)]
            count += 1
        total = sum(float(tf.reduce_sum(tf.square(each / count))) for each in sums)
    return {"advas_r": total if np.isfinite(total) else None}


class MoreThan:
    """An evaluator that also tells what the module's text says.

    Args:
        evaluator: an `Evaluator`, or one with the duality gap.
        model: whose images it measures.
    """

    def __init__(self, evaluator, model):
        self._evaluator, self.model, self._reference = evaluator, model, None

    def __getattr__(self, name):
        return getattr(self._evaluator, name)

    def __call__(self, generate, dataset, *more):
        seen = []

        def kept(count):
            images = generate(count)
            if sum(map(len, seen)) < VARIETY_SAMPLES:
                seen.append(images)
            return images

        result = self._evaluator(kept, dataset, *more)
        real, moments = self._of_training(dataset)
        images = np.concatenate(seen)[: len(real)]
        slope = squared_slope(self.model, dataset) if FLAGS.advas_r else {}
        return result | self._validation(moments) | variety(real[: len(images)], images) | slope

    def _of_training(self, dataset):
        """Some training images, and the moments of the features of up to 10,000 of them."""
        from tfgans.evaluate.statistics import collect

        if self._reference is None:
            total = min(dataset.reference_size(dataset.split), 10_000)
            images = (batch for batch, _ in dataset.reference(dataset.split, limit=total))
            moments = collect(self.features, images, total, 0, label="training images").moments
            batches = dataset.reference(dataset.split, limit=min(VARIETY_SAMPLES, total))
            self._reference = np.concatenate([batch for batch, _ in batches]), moments
        return self._reference

    def _validation(self, moments):
        from tfgans.evaluate.frechet import frechet_distance
        from tfgans.evaluate.statistics import batches_of, collect

        images = batches_of(self.model.stream_of(self.model.seed + 1), VALIDATION_SAMPLES, 256)
        sample = collect(self.features, images, VALIDATION_SAMPLES, 0, label="images of validation")
        finite = sample.finite and np.isfinite(value := frechet_distance(moments, sample.moments))
        return {"validation_fid": float(value) if finite else None}


def train():
    """The command `train`, with the evaluator above."""
    from tfgans import config
    from tfgans.run import build
    from tfgans.run.plan import Plan
    from tfgans.run.training import Run

    build.prepare(FLAGS.gin_file, FLAGS.gin_param, {"seed": FLAGS.seed}, FLAGS.model_dir)
    if not config.is_bound("train", "steps"):
        raise config.ConfigError("how long to train is not set: bind train.steps")
    run = Run(FLAGS.model_dir, Plan())
    if run.evaluator is not None:
        run.evaluator = MoreThan(run.evaluator, run.model)
    run.train()


if __name__ == "__main__":
    flags.DEFINE_bool("advas_r", False, "Measure r of the adversary's assistant at each evaluation.")
    actions.COMMANDS["evidence"] = (command_flags.train, train)
    command_line.run("evidence")
