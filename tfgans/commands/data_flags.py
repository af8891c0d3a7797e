"""The flags of the commands that measure, sort or pack sets of images, without a run."""

from absl import flags

from tfgans.commands.flags import PathParser, SizeParser, define_float, image_flags


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
    flags.DEFINE(
        SizeParser(),
        "resolution",
        None,
        "Brings both sets to this size first, as training does: 64 or 64x128.",
    )
    flags.DEFINE(PathParser(), "save", None, "An .npz file for the statistics of the first set.")
    flags.DEFINE(
        PathParser(),
        "pictures",
        None,
        "A folder for pictures of both sets, as evaluate --pictures draws them.",
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
    flags.DEFINE(PathParser(), "output", None, "The file to write; its name ends in .keras.", required=True)
    flags.DEFINE_string(
        "test_data",
        None,
        "Images for the accuracy alone; if not given the split `test` of --data, or a tenth of each class.",
    )
    flags.DEFINE_integer("epochs", 15, "Passes over the images.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of everything random.", 0, 2**32 - 1)
    flags.DEFINE_bool("flip", None, "Also train on mirrored images; not for digits, letters and other such.")
    image_flags()
    flags.DEFINE_integer("batch_size", None, "Images of a step; 64 if not given.", lower_bound=1)
    flags.DEFINE_integer("width", None, "Features; 128 if not given, fewer make a smaller file.", 16, 1024)
    flags.DEFINE_multi_string("gin_param", [], "One binding, such as Dataset.label_key='digit'.")


def pack():
    flags.DEFINE_string(
        "source",
        None,
        "What to pack: a folder, a .zip or .npz file, or any Dataset.source, such as tfds:cifar10.",
    )
    flags.DEFINE(PathParser(), "output", None, "The folder to write; with --format=zip the .zip file.")
    flags.DEFINE(
        PathParser(), "verify", None, "Instead: compare the packed data set in this folder with its hashes."
    )
    flags.DEFINE_enum(
        "format", "packed", ["packed", "zip"], "zip: a file that StyleGAN2-ADA, StyleGAN3 and R3GAN train on."
    )
    image_flags()
    flags.DEFINE_enum(
        "crop", "center", ["center", "random", "none"], "How images get their --resolution, as Dataset.crop."
    )
    flags.DEFINE_string("background", "white", "Colour that alpha is put on at a --resolution.")
    flags.DEFINE_list("splits", None, "Splits to pack; all that the source has if not given.")
    flags.DEFINE_bool("labels", True, "Also pack the labels.")
    flags.DEFINE_enum(
        "on_bad_image", "fail", ["fail", "skip"], "skip: leave bad images out, and list them in the manifest."
    )
    flags.DEFINE_integer(
        "images_per_shard", 10000, "Images of a file; what is left of a killed packing are whole files.", 1
    )
    flags.DEFINE_bool(
        "overwrite", False, "Replace what is packed in --output already, once the new is whole."
    )
    flags.DEFINE(PathParser(), "data_dir", None, "Where TensorFlow Datasets keeps its data.")
    flags.DEFINE_string(
        "image_key", None, "Of TensorFlow Datasets: the feature to take, as Dataset.image_key."
    )
    flags.DEFINE_string("label_key", None, "Of TensorFlow Datasets: the label, as Dataset.label_key.")
    define_float(
        "memory_limit_gb",
        None,
        "Of TensorFlow Datasets' tfrecord: GB it may take, as Dataset.memory_limit_gb; 4 if not given.",
        0.0,
    )
