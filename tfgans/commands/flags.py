"""The flags of the commands, each defined by a function."""

import math
import re

from absl import flags

from tfgans.errors import ConfigError
from tfgans.files import expanded

OR_PICKLE = "Folder of the run, or a pickle of NVIDIA's StyleGAN2."


class PathParser(flags.ArgumentParser):
    syntactic_help = "a path"

    def parse(self, argument):
        if not argument:  # as --model_dir=$RUN is where RUN is not set: it would be the working directory
            raise ValueError("it is a path, and this one is empty")
        return expanded(argument)


class SizeParser(flags.ArgumentParser):
    syntactic_help = "a number, or two as in 64x128"

    def parse(self, argument):
        """A side, or (height, width) if they differ."""
        found = re.fullmatch(r"(\d+)(?:x(\d+))?", str(argument).strip())
        size = found and tuple(int(side or found[1]) for side in found.groups())
        if not found or min(size) < 1:
            raise ValueError("it is a side in pixels, such as 64, or height x width, such as 64x128")
        return size[0] if size[0] == size[1] else size


def image_flags():
    about = "Side of square images in pixels, or height x width, such as 64x128."
    flags.DEFINE(SizeParser(), "resolution", None, about)
    flags.DEFINE_integer(
        "channels", None, "1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).", 1, 4
    )


def define_float(name, default, about, lower=None, upper=None):
    """Defines a flag of a finite number: absl's bounds let nan through."""
    flags.DEFINE_float(name, default, about, lower, upper)
    finite = lambda value: value is None or math.isfinite(value)  # noqa: E731
    flags.register_validator(name, finite, message="It must be a finite number.")


def define_folder(name, about):
    flags.DEFINE(PathParser(), name, None, about, required=True)


def define_paths(name, about):
    flags.DEFINE_multi(PathParser(), flags.ArgumentSerializer(), name, [], about)


def gin_flags(required=True, about="Configuration file; may be given several times."):
    flags.DEFINE_multi_string("gin_file", [], about)
    flags.DEFINE_multi_string("gin_param", [], "One binding, Name.parameter=value; overrides the files.")
    if required:
        flags.register_validator("gin_file", bool, message="Flag --gin_file must have a value.")


def run_flags(about="Folder of the run."):
    gin_flags(required=False)
    define_folder("model_dir", about)
    flags.DEFINE_string("step", None, "Step of the checkpoint, or 'best'; the newest if not given.")
    flags.DEFINE_string("generator", None, "Of a run that prunes: sparse or dense; else its usual generator.")
    flags.DEFINE_enum(
        "weights",
        None,
        ["average", "raw"],
        "The generator's moving average or the weights that train; the average, if there is one.",
    )
    flags.DEFINE_bool(
        "standing_statistics",
        False,
        "Batch norms take statistics found anew for the weights shown, as those of an average do.",
    )


def langevin_flags():
    flags.DEFINE_integer(
        "langevin_steps",
        0,
        "Moves the latents so many steps to where the discriminator finds the images real (DDLS).",
        lower_bound=0,
    )
    define_float("langevin_rate", 0.01, "With --langevin_steps: size of a step.", 1e-9, 1.0)


def train():
    gin_flags()
    define_folder("model_dir", "Folder of the run; a part of it there is taken up.")
    _data_flag()
    flags.DEFINE_integer("seed", None, "Seed of everything random.", 0, 2**32 - 1)
    flags.DEFINE(
        PathParser(),
        "initialize_from",
        None,
        "Fine-tune: begin with the weights that fit of another run (its folder), a checkpoint or a generator.keras, "
        "or with NVIDIA's StyleGAN2 (a .pkl).",
    )
    flags.DEFINE_bool(
        "accept_changed_data",
        False,
        "Go on with images that are not those the run was trained on; noted in it.",
    )
    _worker_flags()
    _model_flags()


def _worker_flags():
    """Who trains together; see `launchers.settle`."""
    flags.DEFINE_list(
        "workers",
        None,
        "host:port of every process that trains this run together with this one, the first of which writes; else "
        "those of TF_CONFIG, or of mpirun or srun. All have the same flags but --task.",
    )
    flags.DEFINE_integer(
        "task", None, "This process's number among --workers, from 0; else mpirun's or srun's.", lower_bound=0
    )


def _model_flags():
    """What changes the networks or what a run costs; see `flag_bindings` for what each of them sets."""
    flags.DEFINE_integer("steps", None, "Generator updates of the whole run.", lower_bound=1)
    _batch_flags()


def _batch_flags():
    """What the batches are; with `_data_flag` those of `flag_bindings.OF_IMAGES`."""
    image_flags()
    flags.DEFINE_integer("num_classes", None, "Classes of a conditional GAN; 0: none.", lower_bound=0)
    flags.DEFINE_integer(
        "batch_size", None, "Images of a discriminator step, over all replicas.", lower_bound=1
    )


def evaluate():
    run_flags()
    flags.DEFINE_string("data", None, "Where the images of the run are by now, as --data of train says it.")
    flags.DEFINE_integer("num_samples", None, "Images to generate.", lower_bound=2)
    flags.DEFINE_bool("duality_gap", False, "Measure the duality gap, too; DualityGap.* says how.")
    flags.DEFINE_bool(
        "pictures",
        False,
        "Draw the evaluation into evaluation/step_N of the run: samples beside their nearest training images, a map "
        "of real and generated images, precision and recall, FID by the number of samples.",
    )
    langevin_flags()


def _data_flag():
    flags.DEFINE_string(
        "data",
        None,
        "What to train on: a folder of images, a .zip or .npz file, a packed data set, or any Dataset.source, such "
        "as digits or tfds:cifar10. "
        "The name of a source comes first; ./digits is the folder.",
    )


def describe():
    gin_flags()
    _data_flag()
    _model_flags()
    flags.DEFINE_bool("summary", False, "A readable table instead of JSON.")
    flags.DEFINE_bool(
        "measure",
        False,
        "Trains five steps, on random images, and says how long the run takes here, and what memory.",
    )


def doctor():
    define_float("seconds", 15.0, "How long to train for the speed; 0: not at all.", 0.0, 600.0)


def export():
    run_flags(OR_PICKLE)
    define_folder("output_dir", "Folder to write to.")
    flags.DEFINE_list(
        "formats",
        ["saved_model", "onnx", "litert"],
        "Of saved_model, onnx, litert, tfjs. Each takes latents (and labels) and gives images in [-1, 1].",
    )
    flags.DEFINE_list("quantize", [], "Of float16, int8: further LiteRT files with smaller weights.")
    flags.DEFINE_bool("overwrite", False, "Replace what an earlier export left in output_dir.")


def report():
    define_folder("model_dir", "Folder of the run.")
    flags.DEFINE(
        PathParser(), "output", None, "The file to write; report.html in the run's folder if not given."
    )


def explore():
    run_flags()
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "Address to serve at. Others than this machine's own, such as 0.0.0.0, can be reached by others: the printed "
        "address then has a token that everybody needs.",
    )
    flags.DEFINE_integer("port", 8765, "Port to serve at; 0: one that is free.", 0, 65535)


def search():
    train()


def compare():
    gin_flags(
        required=False,
        about="A configuration: its file, or the --gin_file and --gin_param flags of its training in one text; may "
        "be given several times.",
    )
    flags.DEFINE_alias("configuration", "gin_file")
    define_folder("output_dir", "Folder of the runs and of the page.")
    flags.DEFINE_multi_string("label", [], "Name of each configuration, in their order.")
    define_paths("from_runs", "Compare finished runs instead: a model_dir, or a folder of such; repeatable.")
    _data_flag()
    _batch_flags()
    flags.DEFINE_integer("seeds", 5, "Runs of each configuration, with seeds from 0.")
    flags.DEFINE_integer("steps", None, "Generator updates of each run.")
    define_float("seconds", None, "Seconds of training of each run, instead of --steps.")
    flags.DEFINE_bool(
        "own_steps", False, "Train each configuration for its own train.steps, whatever they are."
    )
    define_float(
        "evaluate_every", None, "Updates between evaluations (with --seconds: seconds); a fifth if not given."
    )
    flags.DEFINE_string(
        "metric", None, "What ranks the configurations; train.best_metric if it is the same in all, else fid."
    )
    flags.DEFINE_integer("jobs", 1, "Runs at a time.")
    flags.DEFINE_bool(
        "pictures", False, "Also draw each finished run, as evaluate --pictures does; the page shows them."
    )


def architectures():
    gin_flags()
    define_folder("output_dir", "Folder of the runs, architectures.jsonl and the pictures.")
    _data_flag()
    _batch_flags()
    flags.DEFINE_integer("count", 20, "Architectures to draw and train.")
    flags.DEFINE_integer("steps", None, "Generator updates of each; train.steps if not given.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Of the drawing and of each training.", 0, 2**32 - 1)
    flags.DEFINE_string("metric", "fid", "Its best third is superior, its worst third inferior.")
    flags.DEFINE_list(
        "thresholds",
        None,
        "Instead of thirds, such as fid=15,inception_score=8 (AlphaGAN's): superior is better in all, inferior "
        "worse in all.",
    )
    flags.DEFINE_integer("jobs", 1, "Runs at a time.")


def thresholds(values):
    """`{metric: value}` of --thresholds, or None."""
    if values.thresholds is None:
        return None
    if values["metric"].present:
        raise ConfigError("--metric is for thirds: it does not go with --thresholds")
    given = ",".join(values.thresholds)
    found = [_threshold(each) for each in values.thresholds]
    if not found or not all(found):
        raise ConfigError(
            f"--thresholds are metric=value, such as fid=15,inception_score=8. Received: {given!r}"
        )
    names = [name for name, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"--thresholds have one value of each metric, and {twice} has several. Received: {given!r}"
        )
    return dict(found)


def _threshold(text):
    """`(metric, value)` of `fid=15`; None if it is no such text."""
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        return None
    return (name, value) if name and math.isfinite(value) else None
