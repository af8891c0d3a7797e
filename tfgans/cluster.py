"""The processes that train together: what the variable TF_CONFIG says of them."""

import json
import os
import re
import socket

from tfgans.errors import ConfigError, first_line

JOBS = ("chief", "worker")


def workers():
    """The number of processes that train together, as `TF_CONFIG` names them; 0 if it does not."""
    return sum(len(addresses) for addresses in cluster_of(os.environ.get("TF_CONFIG") or "{}").values())


def cluster_of(text):
    """`{job: addresses}` of a `TF_CONFIG`, {} if it names no cluster.

    Raises: ConfigError, in one line, for whatever is wrong with it, the process's own task included.
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"TF_CONFIG is not JSON: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise _wrong("it is an object with a cluster and a task", config)
    cluster = config.get("cluster", {})
    if not isinstance(cluster, dict):
        raise _wrong("cluster is an object with a list of workers", cluster)
    for job, addresses in cluster.items():
        if job not in JOBS:
            raise _wrong(f"cluster has the jobs {' and '.join(JOBS)}", job)
        if not isinstance(addresses, list) or not addresses:
            raise _wrong(f"cluster.{job} is a list of addresses, host:port", addresses)
        for address in addresses:
            _check_address(job, address)
    if len(cluster.get("chief", ())) > 1:
        raise _wrong("cluster has one chief", cluster["chief"])
    every = [address for addresses in cluster.values() for address in addresses]
    if len(set(every)) < len(every):
        raise _wrong("cluster has no address twice", every)
    if cluster:
        _check_task(config.get("task"), cluster)
    return cluster


def check_own_address():
    """Raises ConfigError if this process's host is not known: TensorFlow would wait for it without end."""
    config = json.loads(os.environ["TF_CONFIG"])
    task = config["task"]
    host, _, port = config["cluster"][task["type"]][task["index"]].rpartition(":")
    try:
        socket.getaddrinfo(host.strip("[]"), port)
    except OSError as error:
        raise _wrong("this process's host is known", host) from error


def _check_address(job, address):
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise _wrong(f"cluster.{job} is a list of addresses, host:port with a port of 1 to 65535", address)


def _check_task(task, cluster):
    """Refuses a task that is none of the cluster's."""
    if not isinstance(task, dict):
        raise _wrong("task is an object with this process's type and index", task)
    kind, index = task.get("type"), task.get("index")
    if not isinstance(kind, str) or kind not in cluster:
        raise _wrong(f"task.type is a job of the cluster, {' or '.join(cluster)}", kind)
    last = len(cluster[kind]) - 1
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= last:
        raise _wrong(f"task.index is an integer in [0, {last}], one for each {kind}", index)


def _wrong(words, received):
    return ConfigError(f"TF_CONFIG: {words}. Received: {json.dumps(received)[:200]}")
