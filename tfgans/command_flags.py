"""The flags of the commands, each defined by a function."""

from absl import flags


def _gin_flags(required=True):
    flags.DEFINE_multi_string("gin_file", [], "Configuration file; may be given several times.")
    flags.DEFINE_multi_string("gin_param", [], "One binding, Name.parameter=value; overrides the files.")
    if required:
        flags.register_validator("gin_file", bool, message="Flag --gin_file must have a value.")


def _run_flags():
    _gin_flags(required=False)
    flags.DEFINE_string("model_dir", None, "Folder of the run.", required=True)
    flags.DEFINE_string("step", None, "Step of the checkpoint, or 'best'; the newest if not given.")
    flags.DEFINE_string("generator", None, "Of a run that prunes: sparse or dense; else its usual generator.")


def train():
    _gin_flags()
    flags.DEFINE_string(
        "model_dir", None, "Folder of the run; a part of it there is taken up.", required=True
    )
    flags.DEFINE_integer("steps", None, "Generator updates of the whole run.", lower_bound=1)
    flags.DEFINE_integer("seed", None, "Seed of everything random.")
    flags.DEFINE_bool(
        "accept_changed_data",
        False,
        "Go on with images that are not those the run was trained on; noted in it.",
    )


def evaluate():
    _run_flags()
    flags.DEFINE_integer("num_samples", None, "Images to generate.", lower_bound=2)
    flags.DEFINE_bool("duality_gap", False, "Measure the duality gap, too; DualityGap.* says how.")


def generate():
    _run_flags()
    flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
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
    flags.DEFINE_integer("seed", 0, "Seed of the latents.")


def describe():
    _gin_flags()
    flags.DEFINE_bool("summary", False, "A readable table instead of JSON.")


def search():
    train()


def compare():
    _gin_flags(required=False)
    flags.DEFINE_string("output_dir", None, "Folder of the runs and of the page.", required=True)
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
