"""Which `tf.distribute` strategy runs the training, and the few places where replicas must agree."""

import os
import re

import tensorflow as tf

from tfgans import cluster, keras_internals
from tfgans.cluster import workers
from tfgans.config import ConfigError, Count, OneOf, configurable, first_line

KINDS = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


@configurable
def strategy(kind: OneOf(*KINDS) = "auto", virtual_devices: Count | None = None, tpu: str = ""):
    """The strategy to build and train under.

    Args:
        kind: `auto` takes several workers if `TF_CONFIG` names them (`launchers` writes it for those of a command's
            flags, mpirun or srun), else a TPU if `TPU_NAME` is set, else all GPUs if there are several, else one
            device. `one_device` and `mirrored` train in this process alone, and take `TF_CONFIG` away from it.
        virtual_devices: split the CPU into so many logical devices, to try a replicated run on a machine
            without accelerators; `mirrored` then uses them all.
        tpu: name or address of the TPU, for `kind="tpu"`.
    Raises: ConfigError if the kind is unknown, its machines are not there, or --workers contradicts it.
    """
    if kind in ("one_device", "mirrored"):
        if cluster.by_flag():
            raise ConfigError(f"strategy.kind = {kind!r} trains in one process: leave it or --workers out")
        cluster.forget()
    if virtual_devices:
        _split_cpu(virtual_devices)
    if kind == "auto":
        kind = _detect(tf.config.list_logical_devices)
    if kind == "one_device":
        return tf.distribute.get_strategy()
    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if kind == "multi_worker":
        return _multi_worker()
    return _tpu(tpu)


def foreseen_replicas(kind, virtual_devices=1):
    """The replicas that `strategy` will have, told before TensorFlow uses a device: with as many GPUs on each worker.

    A TPU's are not known: 1.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    if kind == "auto":
        kind = _detect(tf.config.list_physical_devices)
    if kind == "mirrored":
        return gpus or virtual_devices
    return max(workers(), 1) * max(gpus, 1) if kind == "multi_worker" else 1


def _detect(list_devices):
    """The kind that `auto` stands for; `list_devices` is asked last: a worker uses no device before it is one."""
    if workers() > 1:
        return "multi_worker"
    if os.environ.get("TPU_NAME"):
        return "tpu"
    return "mirrored" if len(list_devices("GPU")) > 1 else "one_device"


def _split_cpu(count):
    cpu = tf.config.list_physical_devices("CPU")[0]
    wanted = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
    try:
        tf.config.set_logical_device_configuration(cpu, wanted)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) != count:
            raise ConfigError(
                "strategy.virtual_devices must be set before TensorFlow uses the CPU"
            ) from error


def _multi_worker():
    if workers() < 1:
        raise ConfigError(
            "strategy.kind = 'multi_worker' needs the workers, in --workers or the variable TF_CONFIG"
        )
    cluster.meet()
    options = tf.distribute.experimental.CommunicationOptions()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except tf.errors.OpError as error:
        if told_of_loss(error):
            raise cluster.WorkerLost(told_of_loss(error)) from error
        raise ConfigError(f"{cluster.source()}: the workers cannot be joined: {first_line(error)}") from error


def told_of_loss(error):
    """A line about an `OpError` that says that another worker has ended or is not reached; None of other errors."""
    signs = "Collective ops is aborted|coordination service|heartbeats|tensorflow.WorkerService"
    if workers() < 2 or not re.search(signs, error.message, re.IGNORECASE):
        return None
    named = set(map(int, re.findall(r"/task:(\d+)", error.message))) - {cluster.own_number()}
    which = f"another worker, it seems number {named.pop()}," if len(named) == 1 else "another worker"
    return (
        f"{which} has ended or cannot be reached: start all of them again, and the run goes on from its newest "
        "checkpoint"
    )


def _tpu(name):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise ConfigError(f"no TPU found at {name or os.environ.get('TPU_NAME', '')!r}") from error
    return tf.distribute.TPUStrategy(resolver)


def num_replicas():
    """Replicas over all workers."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica_id():
    """This replica's number over all workers; 0 outside a replicated step."""
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def local_replicas(strategy):
    """`(first, count)`: the number of this worker's first replica, and how many it runs."""
    resolver = strategy.cluster_resolver
    total = strategy.num_replicas_in_sync
    if resolver is None or not resolver.cluster_spec() or isinstance(strategy, tf.distribute.TPUStrategy):
        return 0, total
    count = total // max(workers(), 1)
    return worker_index(strategy) * count, count


def worker_index(strategy):
    """This process's number among the workers; 0 is the chief, the only one that writes files."""
    resolver = strategy.cluster_resolver
    if resolver is None or not getattr(resolver, "task_type", None):
        return 0
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", ()))
    return resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)


def of_replicas(strategy, number):
    """[replicas] integers: the one that each replica's worker has brought."""
    if workers() < 2:
        return [number]
    local = strategy.run(lambda: tf.constant([number], tf.int64))
    return strategy.gather(local, axis=0).numpy().tolist()


def batches(strategy, dataset, model, start):
    """What a model trains on from generator update `start` on, for this worker's replicas; see `Dataset.batches`."""
    first, count = local_replicas(strategy)
    options = dict(
        discriminator_steps=model.batches_per_step,
        seed=model.seed,
        start_step=start,
        first_replica=first,
        local_replicas=count,
        total_replicas=strategy.num_replicas_in_sync,
    )
    if strategy.num_replicas_in_sync == 1:
        return dataset.batches(**options)
    return strategy.distribute_datasets_from_function(lambda context: dataset.batches(**options))


class Means(list):
    """Tensors that are means over replicas: the same on all of them."""


def mean(tensors):
    """The mean over replicas of each tensor, `Means`; differentiable, so methods may use it inside a tape.

    On one replica, and of what are `Means` already, it is what is given, at no cost. The gradient of an embedding
    becomes dense, each row once: norms, clipping and Keras's Adam and RMSprop else take the square of each sample's
    part of a row, not that of the row.
    """
    if isinstance(tensors, Means):
        return tensors
    tensors = [tf.convert_to_tensor(t) for t in tensors]
    if num_replicas() == 1 or not tensors:
        return tensors
    tensors = [
        tf.identity(t) for t in tensors
    ]  # on the replica's device: what a variable gives may name none
    return Means(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tensors))


def gathered(tensors):
    """[n, ...] of every replica, one after the other, [replicas * n, ...]; with gradients.

    Integers are exact below 2^24 / replicas: what replicas exchange here is the mean of floats.
    """
    replicas = num_replicas()
    if replicas == 1:
        return tensors
    found = []
    for tensor in tensors:
        wide = tensor if tensor.dtype.is_floating else tf.cast(tensor, tf.float32)
        mine = tf.one_hot(replica_id(), replicas, float(replicas), 0.0, dtype=wide.dtype)
        found.append(tf.tensordot(mine, wide, 0))  # [replicas, n, ...]: zeros but in its own place
    means = mean(found)
    joined = [tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)) for x in means]
    rounded = [x if t.dtype.is_floating else tf.round(x) for x, t in zip(joined, tensors, strict=True)]
    return [tf.cast(x, t.dtype) for x, t in zip(rounded, tensors, strict=True)]


def apply_means(optimizer, gradients, variables):
    """Moves weights by the mean over replicas of their gradients.

    All that the optimizer makes of a gradient, clipping too, it makes of that mean. Methods that need the mean as
    well give it here as they got it from `mean`: it is not taken again.
    """
    gradients = mean(gradients)
    if num_replicas() > 1:
        keras_internals.hand_over_sums(optimizer)
    optimizer.apply(gradients, variables)


def average(variables):
    """Sets per-replica variables (moving statistics) to their mean over replicas, so that all agree."""
    if num_replicas() == 1:
        return
    variables = [v for v in variables if v.dtype.startswith(("float", "bfloat"))]
    for variable, value in zip(
        variables, mean([tf.convert_to_tensor(v.value) for v in variables]), strict=True
    ):
        variable.assign(value)


def update_each(variables, sources, update):
    """`variable.assign(update(variable, source))` on every replica by itself, with nothing exchanged."""
    pairs = [(v.value, s.value) for v, s in zip(variables, sources, strict=True)]

    def assign(strategy, pairs):
        for variable, source in pairs:
            strategy.extended.update(
                variable, lambda v, s: v.assign(update(v, s)), args=(source,), group=False
            )

    context = tf.distribute.get_replica_context()
    if num_replicas() == 1:
        for variable, source in pairs:
            variable.assign(update(variable, source))
    elif context is None:
        assign(tf.distribute.get_strategy(), pairs)
    else:
        context.merge_call(assign, args=(pairs,))
