"""The flags of the commands, each defined by a function."""

import re

from absl import flags

from tfgans.errors import ConfigError
from tfgans.files import expanded


class _Path(flags.ArgumentParser):
    syntactic_help = "a path"

    def parse(self, argument):
        return expanded(argument)


def _define_folder(name, about):
    flags.DEFINE(_Path(), name, None, about, required=True)


def _gin_flags(required=True, about="Configuration file; may be given several times."):
    flags.DEFINE_multi_string("gin_file", [], about)
    flags.DEFINE_multi_string("gin_param", [], "One binding, Name.parameter=value; overrides the files.")
    if required:
        flags.register_validator("gin_file", bool, message="Flag --gin_file must have a value.")


def _run_flags():
    _gin_flags(required=False)
    _define_folder("model_dir", "Folder of the run.")
    flags.DEFINE_string("step", None, "Step of the checkpoint, or 'best'; the newest if not given.")
    flags.DEFINE_string("generator", None, "Of a run that prunes: sparse or dense; else its usual generator.")
    flags.DEFINE_enum(
        "weights",
        None,
        ["average", "raw"],
        "The generator's moving average or the weights that train; the average, if there is one.",
    )


def train():
    _gin_flags()
    _define_folder("model_dir", "Folder of the run; a part of it there is taken up.")
    _data_flag()
    flags.DEFINE_integer("seed", None, "Seed of everything random.", 0, 2**32 - 1)
    flags.DEFINE(
        _Path(),
        "initialize_from",
        None,
        "Fine-tune: begin with the weights that fit of another run (its folder), a checkpoint or a generator.keras.",
    )
    flags.DEFINE_bool(
        "accept_changed_data",
        False,
        "Go on with images that are not those the run was trained on; noted in it.",
    )
    _model_flags()


def _model_flags():
    """What changes the networks or what a run costs; see `flag_bindings` for what each of them sets."""
    flags.DEFINE_integer("steps", None, "Generator updates of the whole run.", lower_bound=1)
    flags.DEFINE_integer("resolution", None, "Height and width of the images in pixels.", lower_bound=1)
    flags.DEFINE_integer("channels", None, "1 (gray) or 3 (RGB).", lower_bound=1)
    flags.DEFINE_integer("num_classes", None, "Classes of a conditional GAN; 0: none.", lower_bound=0)
    flags.DEFINE_integer(
        "batch_size", None, "Images of a discriminator step, over all replicas.", lower_bound=1
    )


def evaluate():
    _run_flags()
    flags.DEFINE_integer("num_samples", None, "Images to generate.", lower_bound=2)
    flags.DEFINE_bool("duality_gap", False, "Measure the duality gap, too; DualityGap.* says how.")
    flags.DEFINE_bool(
        "pictures",
        False,
        "Draw the evaluation into evaluation/step_N of the run: samples beside their nearest training images, a map "
        "of real and generated images, precision and recall, FID by the number of samples.",
    )


def generate():
    _run_flags()
    _define_folder("output_dir", "Folder to write to.")
    flags.DEFINE_integer("num_images", 64, "Images to write.", lower_bound=1)
    flags.DEFINE_bool("overwrite", False, "Replace what an earlier generate left in output_dir.")
    flags.DEFINE_list(
        "labels", None, "Classes to go round, by name or index, such as cat,dog or 0,1; drawn if not given."
    )
    flags.DEFINE_float(
        "truncation",
        None,
        "Generators with styles (StyleGAN2): psi in [0, 1], w = mean_w + psi (w - mean_w); 1 changes nothing, 0 "
        "gives the mean's image. Others: bound, above 0, of the latents' absolute values.",
    )
    flags.DEFINE_integer(
        "truncated_slots", None, "With --truncation=psi: only this many of the first style slots; else all."
    )
    flags.DEFINE_bool(
        "interpolate",
        False,
        "Rows of up to 8 images between two latents, also as interpolation.png and interpolation.gif.",
    )
    flags.DEFINE_enum(
        "interpolate_in",
        None,
        ["z", "w"],
        "With --interpolate: z, the great circle through two latents, or w, the line between their styles; w if "
        "not given and the generator has styles, else z.",
    )
    flags.DEFINE_integer(
        "frames", 32, "With --interpolate: frames of the GIF from end to end.", lower_bound=2
    )
    flags.DEFINE_float("frames_per_second", 20.0, "With --interpolate: of the GIF, in [1, 50].", 1.0, 50.0)
    flags.DEFINE_integer("seed", 0, "Seed of the latents.", 0, 2**32 - 1)
    _style_flags()


def _style_flags():
    """Flags that are for generators with styles only."""
    flags.DEFINE_string(
        "style_mixing",
        None,
        "ROWSxCOLUMNS: write style_mixing.png alone: sources at the left and at the top, and their mixtures.",
    )
    flags.DEFINE_string(
        "mixed_slots",
        None,
        "With --style_mixing: A:B, slots A to B - 1 come from the left, the others from the top; if not given 0:4, "
        "the coarse ones, or the first half of less than eight.",
    )
    flags.DEFINE_string(
        "style_layer",
        None,
        "Generators with styles: all style slots take W_i, the output of the mapping's i-th dense layer, truncated "
        "towards its own mean. A number; or `all`: write style_layers.png alone, a row for each W_i, of the same "
        "--num_images latents (8 if not given).",
    )


def check_generate(values):
    """Refuses flags that would have no effect."""
    layer = values.style_layer
    if layer is not None and layer != "all" and not re.fullmatch("[0-9]{1,9}", layer):
        raise ConfigError(f"--style_layer is the number of a dense layer or all. Received: {layer!r}")
    chosen = {
        "interpolate": values.interpolate,
        "style_mixing": values.style_mixing is not None,
        "style_layer=all": layer == "all",
    }
    needs = {
        "interpolate": ("interpolate_in", "frames", "frames_per_second"),
        "style_mixing": ("mixed_slots",),
        "style_layer=all": (),
    }
    refuses = {
        "interpolate": ("labels", "style_layer"),
        "style_mixing": ("labels", "num_images", "interpolate", "style_layer"),
        "style_layer=all": ("labels",),
    }
    for mode, on in chosen.items():
        for name in refuses[mode] if on else needs[mode]:
            if values[name].present:
                raise ConfigError(
                    f"--{name} does not go with --{mode}" if on else f"--{name} is for --{mode}"
                )


def two_numbers(values, name, separator, form):
    """The numbers of a flag, such as 4x6, or None."""
    if values[name].value is None:
        return None
    found = re.fullmatch(f"([0-9]+){separator}([0-9]+)", values[name].value)
    if not found:
        raise ConfigError(f"--{name} is {form}. Received: {values[name].value!r}")
    return int(found[1]), int(found[2])


def _data_flag():
    flags.DEFINE_string(
        "data",
        None,
        "What to train on: a folder of images, an .npz file, or any Dataset.source, such as digits or tfds:cifar10. "
        "The name of a source comes first; ./digits is the folder.",
    )


def describe():
    _gin_flags()
    _data_flag()
    _model_flags()
    flags.DEFINE_bool("summary", False, "A readable table instead of JSON.")
    flags.DEFINE_bool(
        "measure",
        False,
        "Trains five steps, on random images, and says how long the run takes here, and what memory.",
    )


def fid():
    flags.DEFINE_string(
        "features",
        "inception",
        "inception, digits, glyphs, dinov2, clip or vgg16; the .keras file that launch/classifier.py wrote; the "
        "folder of a SavedModel of Inception; or a gin file that binds Evaluator.features, see gin_configs/features.",
    )
    flags.DEFINE_enum(
        "resize",
        None,
        ["legacy_tensorflow", "legacy_pytorch", "clean"],
        "Inception's preprocessing: of the original graph (the default), of pytorch-fid, or of clean-fid.",
    )
    flags.DEFINE_list("metrics", None, "Names of metrics, joined by commas, such as fid,kid,mind.")
    flags.DEFINE_integer("resolution", None, "Brings both sets to this size first, as training does.", 1)
    flags.DEFINE_string("save", None, "An .npz file for the statistics of the first set.")
    flags.DEFINE_string(
        "pictures", None, "A folder for pictures of both sets, as evaluate --pictures draws them."
    )
    flags.DEFINE_multi_string("gin_param", [], "One binding, such as InceptionFeatures.batch_size=16.")


def classifier():
    flags.DEFINE_string(
        "data",
        None,
        "Labelled images to train on: a folder of a folder a class, an .npz file, or a source such as digits or "
        "tfds:cifar10.",
        required=True,
    )
    flags.DEFINE_string("output", None, "The file to write; its name ends in .keras.", required=True)
    flags.DEFINE_string(
        "test_data",
        None,
        "Images for the accuracy alone; if not given the split `test` of --data, or a tenth of each class.",
    )
    flags.DEFINE_integer("epochs", 15, "Passes over the images.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of everything random.", 0, 2**32 - 1)
    flags.DEFINE_bool("flip", None, "Also train on mirrored images; not for digits, letters and other such.")
    flags.DEFINE_integer("resolution", None, "Height and width of the images in pixels.", lower_bound=1)
    flags.DEFINE_integer("channels", None, "1 (gray) or 3 (RGB).", lower_bound=1)
    flags.DEFINE_integer("batch_size", None, "Images of a step; 64 if not given.", lower_bound=1)
    flags.DEFINE_integer("width", None, "Features; 128 if not given, fewer make a smaller file.", 16, 1024)
    flags.DEFINE_multi_string("gin_param", [], "One binding, such as Dataset.label_key='digit'.")


def doctor():
    flags.DEFINE_float("seconds", 15.0, "How long to train for the speed; 0: not at all.", 0.0, 600.0)


def search():
    train()


def compare():
    _gin_flags(
        required=False,
        about="A configuration: its file, or the --gin_file and --gin_param flags of its training in one text; may "
        "be given several times.",
    )
    flags.DEFINE_alias("configuration", "gin_file")
    _define_folder("output_dir", "Folder of the runs and of the page.")
    flags.DEFINE_multi_string("label", [], "Name of each configuration, in their order.")
    flags.DEFINE_multi_string(
        "from_runs", [], "Compare finished runs instead: a model_dir, or a folder of such; repeatable."
    )
    flags.DEFINE_integer("seeds", 5, "Runs of each configuration, with seeds from 0.")
    flags.DEFINE_integer("steps", None, "Generator updates of each run.")
    flags.DEFINE_float("seconds", None, "Seconds of training of each run, instead of --steps.")
    flags.DEFINE_bool(
        "own_steps", False, "Train each configuration for its own train.steps, whatever they are."
    )
    flags.DEFINE_float(
        "evaluate_every", None, "Updates between evaluations (with --seconds: seconds); a fifth if not given."
    )
    flags.DEFINE_string("metric", "fid", "What ranks the configurations.")
    flags.DEFINE_integer("jobs", 1, "Runs at a time.")
    flags.DEFINE_bool(
        "pictures", False, "Also draw each finished run, as evaluate --pictures does; the page shows them."
    )


def architectures():
    _gin_flags()
    _define_folder("output_dir", "Folder of the runs, architectures.jsonl and the pictures.")
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
    found = [re.fullmatch(r"\s*(\w+)=(-?\d+(?:\.\d*)?)\s*", each) for each in values.thresholds]
    if not found or not all(found):
        given = ",".join(values.thresholds)
        raise ConfigError(
            f"--thresholds are metric=value, such as fid=15,inception_score=8. Received: {given!r}"
        )
    return {each[1]: float(each[2]) for each in found}
