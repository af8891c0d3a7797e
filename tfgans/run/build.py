"""The gin root: from a configuration to a model, new or trained.

gin files bind `numerics`, `strategy`, `Dataset`, `build`, `GAN` and the methods, `Evaluator` and `train`.
"""

import contextlib
import inspect
import json
import math
from pathlib import Path

import gin
import keras
import tensorflow as tf

from tfgans import checkpoint, config, distribute, files, inputs, progress
from tfgans.config import ConfigError, Count, Function, Made, Seed, Several, configurable
from tfgans.data import Dataset
from tfgans.evaluate import cost
from tfgans.evaluate.duality import DualityGap, WithDualityGap
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.metrics import higher_is_better, made_in_training, measured_alike
from tfgans.gan import GAN
from tfgans.gan.accounting import planned_cost
from tfgans.methods import compose
from tfgans.networks.stylegan2_pickles import is_pickle, read_stylegan2
from tfgans.optimizers import default_optimizer
from tfgans.run import auto, classes, flag_bindings, identity, own_code, precision, transfer
from tfgans.run.trial import trial

# For runs that are looked at: whatever one was trained on, this is enough; a later binding may say otherwise.
ON_ONE_DEVICE = ("strategy.kind = 'one_device'", "strategy.virtual_devices = None")


@configurable
def numerics(seed: Seed = 0, precision: str = "float32", deterministic: bool = True):
    """Seeds and precision of the whole process; returns the seed.

    Args:
        seed: of the initial weights, the order of the data and everything drawn in training.
        precision: `float32`; `tf32`, float32 whose matrix products and convolutions read 10 bits of the fraction,
            on GPUs that have it, and else `float32`; or `mixed_bfloat16` (weights stay float32). TensorFlow's own
            default is `tf32`: there, results are equal to 1e-3 only. `auto` in a configuration stands for one of
            them, see `precision`.
        deterministic: makes TensorFlow choose kernels that give the same bits every time. Resuming exactly
            needs it; GPUs are a little slower with it.
    """
    if precision not in ("float32", "tf32", "mixed_bfloat16"):
        raise ConfigError(
            f"numerics.precision is float32, tf32, mixed_bfloat16 or auto. Received: {precision!r}"
        )
    tf.config.experimental.enable_tensor_float_32_execution(precision != "float32")
    keras.config.set_dtype_policy("float32" if precision == "tf32" else precision)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return seed


@configurable
def build(
    generator: Made("@resnet_generator"),
    discriminator: Made("@resnet_discriminator"),
    generator_optimizer: Made("@Adam") | None = None,
    discriminator_optimizer: Made("@Adam") | None = None,
    methods: Several(Function("@R1GAN")) = (),
    learning_rate_schedule: Made("@LinearDecay()") | None = None,
    jit_compile: bool = False,
    steps_per_execution: Count = 1,
    accumulation_steps: Count = 1,
    seed: Seed = 0,
):
    """A compiled model of the configuration.

    Args:
        generator, discriminator: functions that make the networks, such as `@resnet_generator`.
        generator_optimizer, discriminator_optimizer: functions that make the optimizers, such as
            `@generator/TorchAdam`; that with rate 2e-4 and betas 0, 0.9 if not given.
        methods: subclasses of `GAN` to combine, such as `[@GradientPenaltyGAN]`; none is `GAN`.
        learning_rate_schedule, jit_compile, steps_per_execution: see `GAN.compile`.
        accumulation_steps: micro-batches that the batch of an update, `Dataset.batch_size`, is computed in, in
            less memory, to the same numbers but for rounding; see there, too.
        seed: of the model's random streams.
    """
    model = compose(*methods)(made(generator), made(discriminator), seed=seed)
    model.compile(
        optimizer=made(generator_optimizer or default_optimizer),
        discriminator_optimizer=made(discriminator_optimizer or default_optimizer),
        learning_rate_schedule=made(learning_rate_schedule),
        jit_compile=jit_compile,
        steps_per_execution=steps_per_execution,
        accumulation_steps=accumulation_steps,
    )
    return model


def made(thing):
    """What a gin reference stands for, whether it was written `@name` or `@name()`."""
    return thing() if inspect.isclass(thing) or inspect.isroutine(thing) else thing


@contextlib.contextmanager
def explained():
    """Turns what gin, Keras and files raise while things are built into one line for the user."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(config.first_line(error)) from error
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        raise ConfigError(f"{type(error).__name__}: {config.first_line(error)}") from error


def prepare(gin_files, gin_params, plain_flags=None, run_folder=None):
    """Makes every configurable name known, then parses the configuration.

    Args:
        gin_files, gin_params: see `config.parse`. A run's `operative.gin` finds the modules that the run had.
        plain_flags: flags that stand for bindings, {name: value}; they have the last word, see `flag_bindings`.
        run_folder: of a run to take up, or None; modules that are not found otherwise are taken from where it had
            them (`own_code`).
    """
    with explained():
        config.import_rooms()
        for path in gin_files:
            own_code.find_again(Path(files.expanded(path)).parent, first=True)
        if run_folder is not None:
            own_code.find_again(Path(files.expanded(run_folder)), first=False)
        inputs.forget()
        given = config.read(gin_files, gin_params)
        if plain_flags:
            gin_params = [*gin_params, *flag_bindings.bindings(plain_flags, given)]
        left_open, folder = {}, run_folder and files.expanded(run_folder)
        if auto.wanted(given):
            config.read(gin_files, gin_params)
            left_open = auto.values(folder)
        gin_params = [*gin_params, *precision.bindings(folder)]
        config.parse(gin_files, gin_params, left_open)


def build_model():
    """`(model, strategy)` of the parsed configuration."""
    with explained(), _joining():
        strategy = distribute.strategy()
    with explained(), progress.phase("building the networks"):
        seed = numerics()
        with strategy.scope():
            model = build(seed=seed)
            default = inspect.signature(Dataset.__init__).parameters["batch_size"].default
            model.expect_batch(gin.get_bindings("Dataset").get("batch_size", default))
            return model, strategy


def _joining():
    """Shows that this worker waits for the others, if there are any."""
    workers = distribute.workers()
    return progress.phase(f"joining {workers} workers") if workers > 1 else contextlib.nullcontext()


def build_evaluator(model=None, dataset=None, duality_gap=None, interrupt=None):
    """The evaluator, ready to use, or None if the configuration binds nothing of it or has it measure nothing.

    Args:
        model, dataset: what is measured, to find out now what cannot be.
        duality_gap: a `DualityGap` that is measured in each evaluation, too.
        interrupt: a function without arguments; the gap calls it between updates, and it may raise to end them.
    """
    duality_gap = made(duality_gap)
    if not isinstance(duality_gap, DualityGap | None):
        raise ConfigError(f"train.duality_gap is @DualityGap() or None. Received: {duality_gap!r}")
    if not config.is_bound("Evaluator", "features"):
        if duality_gap is not None:
            raise ConfigError("the duality gap is a part of evaluations: bind Evaluator.features, too")
        return None
    with explained():
        evaluator = Evaluator()
        if dataset is not None:
            evaluator.suit(dataset)
        if not evaluator.metrics and duality_gap is None:
            return None
        evaluator.check(dataset if model is not None and model.num_classes else None, model)
        if duality_gap is not None:
            duality_gap.check(model, dataset)
            evaluator = WithDualityGap(evaluator, duality_gap, model, interrupt or (lambda: None))
    return evaluator


def load(model_dir, gin_params=(), step=None, part=None, weights=None):
    """`(model, step)` of a run's folder, restored from a checkpoint, or of a pickle of NVIDIA's StyleGAN2, step 0.

    Args:
        part: show this generator of a pair, `sparse` or `dense`; None is the usual one.
        weights: show the generator's `average` or `raw` weights; None is the average, if there is one.
        gin_params: bindings that override the run's own.
        step: which checkpoint: a number, `best` (by the run's metric), or None for the newest.
    """
    if part is not None and weights is not None:
        raise ConfigError(f"--generator={part} has one kind of weights. Received: --weights={weights}")
    folder = Path(files.expanded(model_dir))
    if is_pickle(folder):
        return _load_pickle(folder, gin_params, step, part, weights), 0
    if not (folder / "operative.gin").exists():
        raise ConfigError(f"{model_dir} is not a run: it has no operative.gin")
    prepare([str(folder / "operative.gin")], [*ON_ONE_DEVICE, *gin_params])
    checkpoints = checkpoint.Checkpoints(folder / "checkpoints")
    if step == "best":
        step = best_step(folder, checkpoints.steps(), *_ranking())
    model, _ = build_model()
    identity.refuse_changed_files(folder)
    own_code.tell_changes(folder)
    about = checkpoints.restore(model, None if step is None else int(step), replicas=False)
    if about is None:
        raise ConfigError(f"{model_dir} has no checkpoint yet")
    classes.restore(folder, model)
    if part is not None:
        model.use_part(part)
    model.use_weights(weights)
    return model, about["step"]


def _load_pickle(path, gin_params, step, part, weights):
    """The model of a pickle of NVIDIA's StyleGAN2; its average is G_ema."""
    for flag, value in (("step", step), ("generator", part)):
        if value is not None:
            raise ConfigError(f"{path} is no run: it has one generator. Received: --{flag}={value}")
    bindings = read_stylegan2(path).bindings
    own = [f"{name} = {value!r}" for name, value in bindings.items()]
    own.append(f"GAN.num_classes = {bindings.get('stylegan2_generator.num_classes')}")
    own += [f"build.{network} = @stylegan2_{network}" for network in ("generator", "discriminator")]
    prepare([], [*own, "GAN.ema_decay = 0.998", *ON_ONE_DEVICE, *gin_params])
    model, _ = build_model()
    model.discriminator_is_untrained = not transfer.initialize(model, path)["discriminator"]["taken"]
    model.use_weights(weights)
    return model


def _ranking():
    """`(metric, highest)` by which the parsed run keeps its best checkpoint."""
    return tuple(gin.query_parameter(f"train.{name}") for name in ("best_metric", "best_is_highest"))


def best_step(folder, steps, metric="fid", highest=False):
    """The step whose evaluation in training was best, of those given.

    It is one of those that were measured like the last one, see `metrics.measured_alike`, against the same images.

    Args:
        highest: whether more of the metric is better; of the library's own, where that is so, it is in any case.
    Raises: ConfigError if no step was evaluated so.
    """
    rows = files.JsonLines(Path(folder) / "metrics.jsonl").read()
    rows = [row for row in rows if made_in_training(row)]
    changes = identity.evaluation_changes(identity.read(folder))
    alike = [row for row in rows if measured_alike(row, rows[-1], changes)]
    known = [row for row in alike if row["step"] in steps and isinstance(row.get(metric), (int, float))]
    if not known:
        raise ConfigError(f"{folder} has no evaluated checkpoint with the metric {metric}")
    return (max if highest or higher_is_better(metric) else min)(known, key=lambda row: row[metric])["step"]


def describe(gin_files, gin_params=(), plain_flags=None, measure=False):
    """`(facts, model)` of a configuration: parameters and multiply-accumulates, methods, shapes.

    A network that has `own_facts`, a function without arguments that gives a dictionary, has those told, too. Of a
    run's own `operative.gin` there are `classes`: their names and numbers of training images.

    Args:
        measure: trains five steps besides, on random images; `measured` is what `trial` gives, with the `hours` that
            the run takes on this machine without evaluations, if it is known how many steps it has.
    """
    prepare(gin_files, gin_params, plain_flags)
    model, _ = build_model()
    config.refuse_unused(apart_from=("train", "search", "Dataset", "Evaluator", "DualityGap"))
    networks = (model.generator, model.discriminator)
    facts = {
        name: {"parameters": cost.parameters(network), "macs": cost.macs(network)} | _own_facts(network)
        for name, network in zip(("generator", "discriminator"), networks, strict=True)
    }
    sizes = [network.search_space_size for network in networks if hasattr(network, "search_space_size")]
    if sizes:  # the number of architectures of the supernets
        facts["search_space"] = math.prod(sizes)
    methods = getattr(type(model), "composed_of", (type(model),))
    facts |= (
        {
            "methods": [method.__name__ for method in methods if method is not GAN],
            "model": type(model).__name__,
            "latent_dim": model.latent_dim,
            "image_shape": list(model.sample_shape),
            "num_classes": model.num_classes,
            "discriminator_steps": model.discriminator_steps,
            "ema_decay": model.ema_decay,
            "ema_half_life": model.ema_half_life,
            "ema_ramp": model.ema_ramp,
        }
        | _planned(model)
        | classes.beside(gin_files)
    )
    return facts | (_measured(model, facts) if measure else {}), model


def _own_facts(network):
    """What the network's `own_facts` gives; {} of a network without."""
    own = getattr(network, "own_facts", None)
    return {} if own is None else own()


def _planned(model):
    """{"training": ...} of `describe`, what the configured run costs, if its length and batch are known."""
    if not (config.is_bound("train", "steps") and config.is_bound("Dataset", "batch_size")):
        return {}
    steps, batch_size = gin.get_bindings("train")["steps"], gin.get_bindings("Dataset")["batch_size"]
    with progress.phase("counting what training costs"):  # a minute for millions of updates
        return {"training": {"steps": steps} | planned_cost(model, batch_size, steps)}


def _measured(model, facts):
    """{"measured": ...} of `describe`; the model is of no use afterwards."""
    if not config.is_bound("Dataset", "batch_size"):
        raise ConfigError("to measure steps Dataset.batch_size has to be bound")
    found = trial(model, gin.get_bindings("Dataset")["batch_size"], "the run")
    if "training" in facts:
        hours = facts["training"]["steps"] * found["seconds_per_step"] / 3600
        found["hours"] = float(f"{hours:.3g}")
    return {"measured": found}


def to_json(value):
    """One line of JSON."""
    return json.dumps(value, allow_nan=False)
