"""What can be done with a run afterwards: evaluate a checkpoint, generate, interpolate, mix styles, feed W_i."""

import contextlib
import dataclasses
import logging
import time
from pathlib import Path

from tfgans import config, files, pictures, progress
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import evaluation_pictures
from tfgans.evaluate.duality import DualityGap
from tfgans.evaluate.evidence import Evidence
from tfgans.evaluate.path_length import SPACES
from tfgans.evaluate.spectrum_figure import SpectrumFigure
from tfgans.gan import langevin
from tfgans.gan.codes import BLOCK
from tfgans.networks.stylegan2_pickles import is_pickle
from tfgans.run import build, classes, flag_bindings, identity
from tfgans.run.look import Chosen, Look, Which, refuse_too_many
from tfgans.run.samples import Moving, write_images

logger = logging.getLogger(__name__)


def evaluate(
    model_dir,
    num_samples=None,
    duality_gap=False,
    pictures=False,
    langevin_steps=0,
    langevin_rate=0.01,
    **which,
):
    """Evaluates a run's checkpoint; returns the metrics and appends them to `metrics.jsonl`.

    With the metric `spectrum`, `spectra_evaluate` gets the step's spectra, in place of an earlier evaluation's;
    `spectra` holds those of training.

    Args:
        num_samples: in place of `Evaluator.num_samples`.
        duality_gap: measures that, too, of the pair that was trained, whatever the generator.
        pictures: draws what `evaluation_pictures.draw` does into the folder `evaluation_pictures.folder_of_step`,
            in place of an earlier evaluation's.
        langevin_steps, langevin_rate: how far the latents of all images are moved, see `langevin.driven`; both are
            in the row if they are. Path lengths, which are of latents as they are drawn, are then left out.
        which: see `Which`; `generator` (the part), `weights` and standing `statistics` are named in the row.
    """
    which = _of_so_many(Which(**which), num_samples)
    model_dir = Path(files.expanded(model_dir))
    if is_pickle(model_dir) and model_dir.exists():
        raise ConfigError(
            f"{model_dir} is no run, which has data to be evaluated with: begin one with its weights"
        )
    model, step = which.load(model_dir)
    with build.explained():
        dataset, gap = Dataset(), DualityGap() if duality_gap else None
    evaluator = build.build_evaluator(model, dataset, gap)
    if evaluator is None:
        raise ConfigError("nothing to evaluate with: bind Evaluator.features, such as @InceptionFeatures()")
    config.refuse_unused(which.gin_params)
    classes.check_compared(model, dataset, [*evaluator.of_classes, *(["the duality gap"] if gap else [])])
    evidence = Evidence() if pictures else None
    moved = {"langevin_steps": langevin_steps, "langevin_rate": langevin_rate} if langevin_steps else {}
    began = time.perf_counter()
    with progress.phase(f"evaluating step {step}"), _streams(model, evaluator, *moved.values()) as streams:
        metrics = evaluator(streams[0], dataset, *streams[1:], evidence)
    seconds = round(time.perf_counter() - began, 3)
    identity.note_evaluation(model_dir, evaluator, dataset)
    with files.if_possible("the figure of the spectra"):
        SpectrumFigure(model_dir / "spectra_evaluate")(step, evaluator.spectra)
    row = {"step": step} | metrics | model.stated_labels()
    row |= {"eval_seconds": seconds, "command": "evaluate"} | _which_images(model, which) | moved
    with files.if_possible("the row of metrics.jsonl"):
        files.JsonLines(model_dir / "metrics.jsonl").append(row)
    if pictures:
        with files.if_possible("the pictures of the evaluation"):
            place = evaluation_pictures.folder_of_step(model_dir, step)
            evaluation_pictures.draw(place, evidence, evaluator.features, dataset, evaluator.cache_dir)
    return row


def _of_so_many(which, num_samples):
    """`which`, with this in place of `Evaluator.num_samples` if it is not None."""
    if num_samples is None:
        return which
    instead = f"--num_samples={num_samples} says how many; leave one of them out"
    flag_bindings.refuse_binding("Evaluator.num_samples", which.gin_params, instead)
    params = (*which.gin_params, f"Evaluator.num_samples={num_samples}")
    return dataclasses.replace(which, gin_params=params)


def _which_images(model, which):
    """What the row says of the generator that was evaluated."""
    row = {"generator": which.part} if which.part else model.row_of_weights()
    return row | ({"statistics": "standing"} if which.standing_statistics else {})


@contextlib.contextmanager
def _streams(model, evaluator, steps=0, rate=None):
    """`(generate, of_class, paths)` of a model, as its evaluator takes them; with steps of `driven` latents."""
    if not steps:
        yield model.stream_of(model.seed), model.streams_of_classes(model.seed), model.paths(model.seed)
        return
    left = [name for name in SPACES if name in evaluator.metrics]
    if left:
        logger.warning("%s left out: paths are between latents as they are drawn", ", ".join(left))
    total = -(-evaluator.num_samples // BLOCK) * steps
    with progress.Bar("moving the latents", total, "step", leave=False) as bar:
        of_all = langevin.stream_of(model, model.seed, steps, rate, done=bar.update)
        yield of_all, langevin.streams_of_classes(model, model.seed, steps, rate), None


def generate(model_dir, output_dir, num_images=64, labels=None, style_layer=None, chosen=None, **look):
    """Writes PNGs, `grid.png` and `latents.npz` (or `points.npy` and a plot) into a folder; returns their paths.

    Args:
        num_images: the first of the stream, with `labels` to go round; in place of both, `chosen`, a `Chosen`. With
            seeds, a picture's file has its seed as number.
        style_layer: see `Generation`.
        output_dir: see `SampleFolder`; it is refused, if at all, before images are made.
        look: see `Look`.
    """
    chosen, look = chosen or Chosen(num_images, labels=labels), Look(**look)
    if chosen.seeds is not None and len(set(chosen.seeds)) < len(chosen.seeds):
        raise ConfigError("--seeds names a picture twice")
    folder, model = look.open(model_dir, output_dir)
    codes = chosen.codes(model, look, style_layer)
    return folder.fill(
        lambda part: write_images(part, model.batches_shown(codes), codes, numbers=chosen.seeds)
    )


def interpolate(model_dir, output_dir, num_images, space=None, moving=None, **look):
    """Writes rows of up to 8 images between two latents each; returns the paths of what it wrote.

    The files of `generate`; if there are images and not points, also `interpolation.png`, every row a strip
    from one end to the other, and a film `interpolation`, in which the first 16 rows go there and back at once.

    Args:
        space: see `Generation.interpolation`.
        moving: a `Moving`; its frames are from one end to the other, both included.
        look: see `Look`.
    """
    config.check_count("--num_images", num_images)
    moving, look = moving or Moving(), Look(**look)
    folder, model = look.open(model_dir, output_dir)
    columns = min(num_images, 8)
    rows = -(-num_images // columns)
    refuse_too_many(model, rows * columns + min(rows, 16) * moving.frames)
    with progress.phase("making the images"):
        codes = model.interpolation(rows, columns, space=space, **look.drawing())
        images = model.show(codes)
    codes, shown = codes.rows(slice(num_images)), images[:num_images]
    if images.ndim == 2:
        return folder.fill(lambda part: write_images(part, shown, codes, columns))
    rows = min(rows, 16)
    with progress.phase("making the frames between"):
        between = model.interpolate(rows, moving.frames, space=space, **look.drawing())
    between = between.reshape(rows, moving.frames, *images.shape[1:])

    def write(part):
        paths = write_images(part, shown, codes, columns)
        strips = part / "interpolation.png"
        pictures.save_png(strips, pictures.strips(images[: 50 * columns], columns))
        return [*paths, strips, *moving.save_rows(part / "interpolation", between, back=True)]

    return folder.fill(write)


def mix_styles(model_dir, output_dir, rows, columns, mixed_slots=None, **look):
    """Writes `style_mixing.png`, the figure of `Generation.mix`; returns its path in a list.

    Args: look: see `Look`.
    """
    look = Look(**look)
    folder, model = look.open(model_dir, output_dir)
    refuse_too_many(model, (rows + 1) * (columns + 1))
    with progress.phase("making the images"):
        figure = model.mix(rows, columns, mixed_slots, **look.drawing())

    def write(part):
        pictures.save_png(
            part / "style_mixing.png", pictures.grid(figure.reshape(-1, *figure.shape[2:]), columns + 1)
        )
        return [part / "style_mixing.png"]

    return folder.fill(write)


def feed_layers(model_dir, output_dir, columns, **look):
    """Writes `style_layers.png`, the figure of `Generation.by_style_layer`; returns its path in a list.

    Args: look: see `Look`.
    """
    config.check_count("--num_images", columns)
    look = Look(**look)
    folder, model = look.open(model_dir, output_dir)
    refuse_too_many(model, columns)
    with progress.phase("making the images"):
        figure = model.by_style_layer(columns, **look.drawing())

    def write(part):
        path = part / "style_layers.png"
        pictures.save_png(path, pictures.grid(figure.reshape(-1, *figure.shape[2:]), columns))
        return [path]

    return folder.fill(write)
