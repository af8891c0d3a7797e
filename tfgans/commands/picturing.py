"""What `generate` and `project` do once their flags are read."""

from absl import flags

from tfgans.commands import picture_flags
from tfgans.commands.given import langevin, refuse_gin_files, which

FLAGS = flags.FLAGS
_FEW = {"walk": 6, "class_walk": 4, "directions": 4, "style_layer=all": 8}  # where --num_images is not given


def generate():
    """`generate`: pictures of the kind that the flags ask for."""
    refuse_gin_files()
    kind = picture_flags.kind(FLAGS)
    make = {None: _plain, "style_mixing": _mixing, "interpolate": _interpolate}.get(kind, _moved)
    paths = make(kind, (FLAGS.model_dir, FLAGS.output_dir), _look())
    print(f"{len(paths)} file{'s' * (len(paths) > 1)} in {FLAGS.output_dir}, the last {paths[-1].name}")


def _which():
    return which() | {"overwrite": FLAGS.overwrite}


def _look():
    names = ("truncation", "truncated_slots", "seed")
    return _which() | {name: FLAGS[name].value for name in names}


def _chosen(kind=None):
    from tfgans.run.look import Chosen

    count = FLAGS.num_images if FLAGS["num_images"].present else _FEW.get(kind, FLAGS.num_images)
    seeds, labels = picture_flags.seeds(FLAGS.seeds), _labels(FLAGS.labels)
    return Chosen(count, seeds, FLAGS.latents, labels, **langevin())


def _labels(given):
    return None if given is None else [label.strip() for label in given]


def _moving():
    from tfgans.run.samples import Moving

    frames = FLAGS["frames"].value if "frames" in FLAGS else Moving.frames
    return Moving(frames, FLAGS.frames_per_second, FLAGS.video)


def _plain(kind, where, look):
    from tfgans.run import after

    layer = None if FLAGS.style_layer is None else int(FLAGS.style_layer)
    return after.generate(*where, style_layer=layer, chosen=_chosen(), **look)


def _mixing(kind, where, look):
    from tfgans.run import after

    rows, columns = picture_flags.two_numbers(FLAGS, "style_mixing", "x", "ROWSxCOLUMNS, such as 4x6")
    slots = picture_flags.two_numbers(FLAGS, "mixed_slots", ":", "A:B, such as 0:4")
    return after.mix_styles(*where, rows, columns, slots, **look)


def _interpolate(kind, where, look):
    from tfgans.run import after

    return after.interpolate(*where, FLAGS.num_images, FLAGS.interpolate_in, _moving(), **look)


def _moved(kind, where, look):
    from tfgans.run import after, directions, walks

    chosen = _chosen(kind)
    if kind == "style_layer=all":
        return after.feed_layers(*where, chosen.count, **look)
    if kind == "walk":
        return walks.walk(*where, chosen, FLAGS.interpolate_in, _moving(), **look)
    if kind == "class_walk":
        return walks.class_walk(*where, chosen, _labels(FLAGS.class_walk), _moving(), **look)
    slots = picture_flags.two_numbers(FLAGS, "moved_slots", ":", "A:B, such as 0:4")
    along = directions.Along(FLAGS.directions, FLAGS.num_directions, FLAGS.strength, slots)
    return directions.explore(*where, chosen, along, _moving(), **look)


def project():
    """`project`: latents of images; prints one JSON object."""
    from tfgans.run import build, projecting

    refuse_gin_files()
    names = (
        "space",
        "steps",
        "learning_rate",
        "pixel_weight",
        "feature_weight",
        "noise",
        "noise_weight",
        "seed",
    )
    options = projecting.ProjectionOptions(**{name: FLAGS[name].value for name in names})
    where, images = (FLAGS.model_dir, FLAGS.output_dir), FLAGS.image
    labels, moving = _labels(FLAGS.labels), _moving()
    found = projecting.project(*where, images, options, labels=labels, moving=moving, **_which())
    print(build.to_json({"images": found}))
