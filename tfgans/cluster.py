"""The processes that train together: what the variable TF_CONFIG says of them."""

import json
import os
import re
import socket
import time

from tfgans.errors import ConfigError, first_line

JOBS = ("chief", "worker")
WAIT_SECONDS = 600.0  # for the other processes, which may be started by hand
_SAID_BY = "said_by"  # beside what TensorFlow reads: where `tell` has it from


class WorkerLost(Exception):
    """Another worker has not come, has ended or is not reached; the message says which, and what to do."""


def workers():
    """The number of processes that train together, as `TF_CONFIG` names them; 0 if it does not."""
    return len(members_of(os.environ.get("TF_CONFIG") or "{}")[0])


def own_number():
    """This process's number among `workers()`; None if there are none."""
    return members_of(os.environ.get("TF_CONFIG") or "{}")[1]


def members_of(text):
    """`(addresses, number)` of a `TF_CONFIG`: those of the chief and the workers, and which is this process's.

    Returns: `([], None)` if it names no cluster.
    Raises: ConfigError, in one line, for whatever is wrong with it, the process's own task included.
    """
    config = _read(text)
    cluster = config.get("cluster", {})
    if not isinstance(cluster, dict):
        raise _wrong("cluster is an object with a list of workers", cluster)
    for job, addresses in cluster.items():
        if job not in JOBS:
            raise _wrong(f"cluster has the jobs {' and '.join(JOBS)}", job)
        if not isinstance(addresses, list) or not addresses:
            raise _wrong(f"cluster.{job} is a list of addresses, host:port", addresses)
        for address in addresses:
            if not is_address(address):
                words = f"cluster.{job} is a list of addresses, host:port with a port of 1 to 65535"
                raise _wrong(words, address)
    if len(cluster.get("chief", ())) > 1:
        raise _wrong("cluster has one chief", cluster["chief"])
    every = [address for job in JOBS for address in cluster.get(job, ())]
    if len(set(every)) < len(every):
        raise _wrong("cluster has no address twice", every)
    if not cluster:
        return [], None
    task = _checked_task(config.get("task"), cluster)
    return every, task["index"] + (len(cluster.get("chief", ())) if task["type"] == "worker" else 0)


def tell(addresses, number, said_by):
    """Writes to `TF_CONFIG`, for the rest of this process, who trains together.

    Args:
        addresses: `host:port` of each process. number: which of them this one is; the first is the chief.
        said_by: where that is from, to be named if something is wrong with it.
    """
    task = {"type": "worker", "index": number}
    config = {"cluster": {"worker": list(addresses)}, "task": task, _SAID_BY: said_by}
    os.environ["TF_CONFIG"] = json.dumps(config)


def forget():
    """Has this process train alone, for the rest of it, whatever its surroundings said."""
    os.environ.pop("TF_CONFIG", None)


def by_flag():
    """Whether it was --workers that named the processes."""
    return _SAID_BY in os.environ.get("TF_CONFIG", "") and source() == "--workers"


def source():
    """What names the processes, `TF_CONFIG` or what `tell` was told, for a line about them."""
    return _read(os.environ.get("TF_CONFIG") or "{}").get(_SAID_BY, "TF_CONFIG")


def is_address(text):
    """Whether it is `host:port`, with a port of 1 to 65535."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and bool(re.fullmatch("[0-9]{1,5}", port)) and 0 < int(port) < 2**16


def meet(seconds=WAIT_SECONDS):
    """Waits until every process can be reached at its address.

    TensorFlow waits, too, but without end and deaf to Ctrl-C.
    Raises: ConfigError if this process's host is not known or its port is taken; WorkerLost, which names a process
        that was not there in time.
    """
    addresses, number = members_of(os.environ["TF_CONFIG"])
    host, port = _split(addresses[number])
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise _wrong("this process's host is known", host, source()) from error
    others = [i for i in range(len(addresses)) if i != number]
    with _listening(port):
        end = time.monotonic() + seconds
        for other in others:
            while not _answers(*_split(addresses[other])):
                if time.monotonic() > end:
                    raise WorkerLost(
                        f"{source()}: worker {other} at {addresses[other]} was not there in {seconds:.0f} s: start it"
                        ", or see how it has ended"
                    )
                time.sleep(0.1)


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _listening(port):
    """A socket at which others see that this process is there; TensorFlow takes its place."""
    both = socket.has_dualstack_ipv6()
    family = {"family": socket.AF_INET6, "dualstack_ipv6": True} if both else {}
    try:
        return socket.create_server(("", port), backlog=128, **family)
    except OSError as error:
        words = "this process's port is free: is an earlier one still there?"
        raise _wrong(words, port, source()) from error


def _answers(host, port):
    try:
        socket.create_connection((host, port), timeout=2.0).close()
    except OSError:
        return False
    return True


def _read(text):
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"TF_CONFIG is not JSON: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise _wrong("it is an object with a cluster and a task", config)
    return config


def _checked_task(task, cluster):
    """The task, unless it is none of the cluster's."""
    if not isinstance(task, dict):
        raise _wrong("task is an object with this process's type and index", task)
    kind, index = task.get("type"), task.get("index")
    if not isinstance(kind, str) or kind not in cluster:
        raise _wrong(f"task.type is a job of the cluster, {' or '.join(cluster)}", kind)
    last = len(cluster[kind]) - 1
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= last:
        raise _wrong(f"task.index is an integer in [0, {last}], one for each {kind}", index)
    return task


def _wrong(words, received, said_by="TF_CONFIG"):
    return ConfigError(f"{said_by}: {words}. Received: {json.dumps(received)[:200]}")
