"""What each command does once its flags are read; TensorFlow is imported by then, or soon."""

import os
import shlex
import sys

from absl import flags

from tfgans.commands import data_flags, picture_flags, picturing
from tfgans.commands import flags as command_flags
from tfgans.commands.given import langevin, others, refuse_flags, refuse_gin_files, which
from tfgans.commands.words import call, complain

FLAGS = flags.FLAGS


def _plain_flags():
    """Those that stand for bindings and were given, `{name: value}`."""
    from tfgans.run import flag_bindings

    values = {name: FLAGS[name].value for name in flag_bindings.PARAMETERS if name in FLAGS}
    return {name: value for name, value in values.items() if value is not None}


def _flags_of_images():
    """Those that say of which images the batches are, and were given, `{name: value}`."""
    from tfgans.run.flag_bindings import OF_IMAGES

    return {name: value for name, value in _plain_flags().items() if name in OF_IMAGES}


def _prepare_training():
    """Parses what the flags of training say."""
    from tfgans import config
    from tfgans.run import build

    given = list(FLAGS.gin_param)
    if FLAGS.accept_changed_data:
        given.append("train.accept_changed_data=True")
    build.prepare(FLAGS.gin_file, given, _plain_flags(), FLAGS.model_dir)
    if not config.is_bound("train", "steps"):
        raise config.ConfigError("how long to train is not set: give --steps or bind train.steps")


def _train():
    _prepare_training()
    from tfgans.run import build, training

    metrics = training.train(FLAGS.model_dir)
    if metrics is not None:  # several workers: one of them has it
        print(build.to_json(metrics))
        _close()


def _close():
    """Says what lies in the folder of a run that has ended, and which commands can follow.

    Where its evaluations measured nothing, the command that does names features for it.
    """
    from tfgans import config
    from tfgans.run import summary

    features = None
    if not summary.measured(FLAGS.model_dir):
        used = config.bindings_of(config.operative())
        points = used.get("Dataset.source") in ("'ring'", "'grid'")
        features = "@PointFeatures()" if points else "@InceptionFeatures()"
    print(summary.closing(FLAGS.model_dir, call, features), file=sys.stderr)


def _search():
    _prepare_training()
    from tfgans.run import build, searching

    retraining = searching.search(FLAGS.model_dir)
    print(build.to_json({"genotype": os.path.join(FLAGS.model_dir, "genotype.json")}))
    _close()
    if retraining:
        words = shlex.join([*retraining, *_flags_of_data()])
        print(f"train what was found: {call('train')} {words}", file=sys.stderr)


def _flags_of_data():
    """Those flags, as they are written, that say what the data are: what is found is of these."""
    from tfgans.run import flag_bindings

    given = {name: value for name, value in _flags_of_images().items() if name != "batch_size"}
    return flag_bindings.texts(given)


def _evaluate():
    from tfgans.run import after, build
    from tfgans.run.flag_bindings import refuse_binding, source_of

    refuse_gin_files()
    measured, of_run = (FLAGS.num_samples, FLAGS.duality_gap, FLAGS.pictures), which()
    if FLAGS.data is not None:
        refuse_binding("Dataset.source", of_run["gin_params"], "--data says where the images are")
        of_run["gin_params"] = [*of_run["gin_params"], f"Dataset.source={source_of(FLAGS.data)!r}"]
    row = after.evaluate(FLAGS.model_dir, *measured, **langevin(), **of_run)
    print(build.to_json(row))


def _describe():
    from tfgans.run import build
    from tfgans.run import describe as description

    facts, model = build.describe(FLAGS.gin_file, FLAGS.gin_param, _plain_flags(), FLAGS.measure)
    if FLAGS.summary:
        print(description.table(facts, model))
    else:
        print(build.to_json(facts))


def _compare():
    from tfgans.compare import comparison, run

    try:
        result, problems = _compared()
    except run.NotWritten as error:
        print(comparison.table(error.comparison))
        raise
    print(comparison.table(result))
    print(os.path.join(FLAGS.output_dir, "report.html"))
    return _ended(problems, sum(each["counts"]["failed"] for each in result["configurations"]))


def _compared():
    """`(comparison, problems)` of what the flags name."""
    from tfgans.compare import run
    from tfgans.config import ConfigError
    from tfgans.run.flag_bindings import OF_IMAGES

    if FLAGS.from_runs:
        refuse_gin_files("--from_runs compares runs as they are: leave --gin_file and --gin_param out")
        if FLAGS.pictures:
            raise ConfigError("--from_runs compares runs as they are: draw them by evaluate --pictures first")
        refuse_flags(
            [*OF_IMAGES, "seeds", "steps", "seconds", "own_steps", "evaluate_every", "jobs"],
            "--from_runs compares runs as they are",
        )
        return run.compare_runs(FLAGS.output_dir, FLAGS.from_runs, FLAGS.label, FLAGS.metric)
    return run.compare_configurations(
        FLAGS.output_dir,
        FLAGS.gin_file,
        labels=FLAGS.label,
        gin_params=FLAGS.gin_param,
        seeds=FLAGS.seeds,
        steps=FLAGS.steps,
        seconds=FLAGS.seconds,
        own_steps=FLAGS.own_steps,
        evaluate_every=FLAGS.evaluate_every,
        primary_metric=FLAGS.metric,
        jobs=FLAGS.jobs,
        pictures=FLAGS.pictures,
        images=_flags_of_images(),
    )


def _fid(*sets):
    from tfgans.config import ConfigError
    from tfgans.evaluate import metrics
    from tfgans.run import build
    from tfgans.run import sets as image_sets

    if not (len(sets) == 2 or (len(sets) == 1 and FLAGS.save)):
        raise ConfigError("two sets of images, such as real/ generated/; or one and --save=stats.npz")
    if len(sets) == 1:
        refuse_flags(["metrics"], "one set is not measured, its statistics are saved")
    features = image_sets.extractor(FLAGS.features, FLAGS.resize, FLAGS.gin_param)
    names = metrics.DEFAULT if FLAGS.metrics is None else [name.strip() for name in FLAGS.metrics]
    second = sets[1] if len(sets) == 2 else None
    options = FLAGS.resolution, FLAGS.save, FLAGS.pictures
    found = image_sets.between(sets[0], second, features, names, *options)
    if found is None:
        print(FLAGS.save)
    else:
        print(build.to_json(found))


def _classifier():
    from tfgans.run import build, classifying

    names = ("output", "epochs", "batch_size", "seed", "resolution", "channels", "flip", "width")
    options = {name: FLAGS[name].value for name in names}
    about = classifying.train(FLAGS.data, test=FLAGS.test_data, gin_params=FLAGS.gin_param, **options)
    print(build.to_json(about))


def _pack():
    from tfgans.config import ConfigError
    from tfgans.data.packing import Options
    from tfgans.data.recoding import Form
    from tfgans.run import build, packs

    if FLAGS.verify is None and FLAGS.source is None and FLAGS.output is None:
        raise ConfigError("pack takes --source and --output, or --verify")
    if FLAGS.verify is not None:
        refuse_flags(others("verify"), "--verify compares what is packed as it is")
        print(build.to_json(packs.verify(FLAGS.verify)))
        return
    if FLAGS.source is None or FLAGS.output is None:
        raise ConfigError("pack takes both --source and --output")
    if FLAGS.format == "zip":
        refuse_flags(["images_per_shard"], "--format=zip writes one file")
    form = Form(FLAGS.resolution, FLAGS.crop, FLAGS.channels, FLAGS.background)
    options = Options(FLAGS.images_per_shard, FLAGS.on_bad_image == "skip", FLAGS.overwrite)
    names = ("data_dir", "image_key", "label_key", "memory_limit_gb")
    where = {name: FLAGS[name].value for name in names if FLAGS[name].present}
    origin = packs.Origin(FLAGS.source, FLAGS.splits, FLAGS.labels, where)
    about = packs.pack(origin, FLAGS.output, form, options, FLAGS.format)
    print(build.to_json(about))
    print(f"train on it: {call('train')} --data={shlex.quote(FLAGS.output)} ...", file=sys.stderr)


def _doctor():
    from tfgans.run import build, doctor

    found = doctor.examine(FLAGS.seconds)
    print("\n".join(doctor.told(found)), file=sys.stderr)
    print(build.to_json(found))


def _export():
    from tfgans.run import build, exporting

    refuse_gin_files()
    formats, quantize = ([name.strip() for name in FLAGS[flag].value] for flag in ("formats", "quantize"))
    where = FLAGS.model_dir, FLAGS.output_dir
    report = exporting.export(*where, formats, quantize, FLAGS.overwrite, **which())
    print(build.to_json(report))
    for name, why in report["failed"].items():
        complain(f"{name} was not written: {why}")
    return 2 if report["failed"] else 0


def _report():
    from tfgans.compare import run_page

    print(run_page.write(FLAGS.model_dir, FLAGS.output))


def _explore():
    from tfgans.run.explore import explore

    refuse_gin_files()

    def told(address):
        print(address, flush=True)
        print("open it in a browser; Ctrl-C ends it", file=sys.stderr)

    explore(FLAGS.model_dir, FLAGS.host, FLAGS.port, told, **which())


def _architectures():
    from tfgans.commands import architectures
    from tfgans.config import ConfigError
    from tfgans.run import build

    if len(FLAGS.gin_file) > 1:
        raise ConfigError("architectures: one --gin_file says how to train; change it by --gin_param")
    thresholds = command_flags.thresholds(FLAGS)
    options = {name: FLAGS[name].value for name in ("count", "seed", "metric", "jobs")}
    rows, problems = architectures.study(
        FLAGS.output_dir,
        FLAGS.gin_file[0],
        FLAGS.gin_param,
        flags=_flags_of_images() | ({} if FLAGS.steps is None else {"steps": FLAGS.steps}),
        thresholds=thresholds,
        **options,
    )
    groups = ("superior", "inferior")
    found = {name: [row["architecture"] for row in rows if row["group"] == name] for name in groups}
    print(build.to_json(found))
    print(os.path.join(FLAGS.output_dir, "normal.png"))
    print(os.path.join(FLAGS.output_dir, "up.png"))
    return _ended(problems, sum(row["outcome"] == "failed" for row in rows))


def _ended(problems, failed):
    """Says what could not be run, or how many runs failed, as on a full disk; returns the exit code of a study."""
    for problem in problems:
        complain(problem)
    if failed and not problems:
        many = f"{failed} runs failed and have" if failed > 1 else "1 run failed and has"
        complain(f"{many} no value; the same command tries again")
    return 2 if problems else int(failed > 0)


COMMANDS = {
    "train": (command_flags.train, _train),
    "search": (command_flags.search, _search),
    "evaluate": (command_flags.evaluate, _evaluate),
    "generate": (picture_flags.generate, picturing.generate),
    "project": (picture_flags.project, picturing.project),
    "describe": (command_flags.describe, _describe),
    "compare": (command_flags.compare, _compare),
    "architectures": (command_flags.architectures, _architectures),
    "fid": (data_flags.fid, _fid),
    "classifier": (data_flags.classifier, _classifier),
    "pack": (data_flags.pack, _pack),
    "doctor": (command_flags.doctor, _doctor),
    "export": (command_flags.export, _export),
    "report": (command_flags.report, _report),
    "explore": (command_flags.explore, _explore),
}
WITH_ARGUMENTS = ("fid",)  # besides flags
SUMMARIES = {
    "train": "Trains a GAN, or goes on where a run stopped.",
    "search": "Searches an architecture, or goes on where a search stopped; writes genotype.json.",
    "evaluate": "Evaluates a run's generator: prints one JSON object and appends it to metrics.jsonl.",
    "generate": "Writes images that a run's generator makes, films between them and directions in which they change.",
    "project": "Finds the latents of given images: what a run's generator makes of them.",
    "describe": "Prints what a configuration builds: parameters, multiply-accumulates, methods.",
    "compare": "Trains several configurations with several seeds and says, with intervals, which is better.",
    "architectures": "Trains architectures drawn at random and draws which operations good and bad ones have.",
    "fid": "FID and other metrics between two sets of images: tfgans fid real/ generated/.",
    "pack": "Reads images of any source once, and writes a data set that opens at once, or a zip as StyleGAN's.",
    "doctor": "Says what this machine has, what is missing for what, and how fast it trains.",
    "export": "Writes a run's generator as a SavedModel, ONNX, LiteRT or TensorFlow.js, each compared with Keras.",
    "report": "Writes one HTML file that shows a run: curves, samples over time, metrics, costs, configuration.",
    "explore": "Serves a page that shows what a run's generator makes, as sliders are moved.",
    "classifier": "Trains a classifier of labelled images, whose features measure images of the same kind.",
}
