"""TF_CONFIG: how many processes train together, and one line for whatever is wrong with it."""

import json
import socket
import threading
import time

import pytest
import tensorflow as tf

from tfgans import cluster, distribute
from tfgans.config import ConfigError

PAIR = ["127.0.0.1:5001", "127.0.0.1:5002"]


def told(jobs, **task):
    return json.dumps({"cluster": jobs, "task": task})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (None, 0),
        ("", 0),
        ("{}", 0),
        ('{"cluster": {}}', 0),
        ('{"task": {"type": "worker", "index": 0}}', 0),
        (told({"worker": PAIR[:1]}, type="worker", index=0), 1),
        (told({"worker": PAIR}, type="worker", index=1), 2),
        (told({"chief": PAIR[:1], "worker": PAIR[1:]}, type="chief", index=0), 2),
        (told({"worker": ["[::1]:5001", "host.example:65535"]}, type="worker", index=0), 2),
    ],
)
def test_workers_are_counted(monkeypatch, text, count):
    monkeypatch.setenv("TF_CONFIG", text) if text is not None else monkeypatch.delenv(
        "TF_CONFIG", raising=False
    )
    assert cluster.workers() == count


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", "TF_CONFIG is not JSON: "),
        ('{"cluster"', "TF_CONFIG is not JSON: "),
        ("[" * 100000, "TF_CONFIG is not JSON: "),
        ("[]", "TF_CONFIG: it is an object with a cluster and a task. Received: []"),
        ('"x"', 'Received: "x"'),
        ("null", "Received: null"),
        ("3", "Received: 3"),
        ('{"cluster": null}', "cluster is an object with a list of workers. Received: null"),
        ('{"cluster": []}', "cluster is an object with a list of workers. Received: []"),
        (told({"worker": PAIR, "ps": PAIR}, type="worker", index=0), 'the jobs chief and worker. Received: "ps"'),
        (told({"worker": []}, type="worker", index=0), "a list of addresses, host:port. Received: []"),
        (told({"worker": "127.0.0.1:1"}, type="worker", index=0), 'host:port. Received: "127.0.0.1:1"'),
        (told({"worker": {"0": PAIR[0]}}, type="worker", index=0), "cluster.worker is a list"),
        (told({"worker": [PAIR[0], 3]}, type="worker", index=0), "a port of 1 to 65535. Received: 3"),
        (told({"worker": ["a", PAIR[0]]}, type="worker", index=0), 'Received: "a"'),
        (told({"worker": ["a:http", PAIR[0]]}, type="worker", index=0), 'Received: "a:http"'),
        (told({"worker": ["a:0", PAIR[0]]}, type="worker", index=0), 'Received: "a:0"'),
        (told({"worker": ["a:65536", PAIR[0]]}, type="worker", index=0), 'Received: "a:65536"'),
        (told({"worker": [":80", PAIR[0]]}, type="worker", index=0), 'Received: ":80"'),
        (told({"worker": PAIR[:1] * 2}, type="worker", index=0), "no address twice"),
        (told({"chief": PAIR}, type="chief", index=0), "cluster has one chief"),
        (json.dumps({"cluster": {"worker": PAIR}}), "this process's type and index. Received: null"),
        (json.dumps({"cluster": {"worker": PAIR}, "task": []}), "Received: []"),
        (told({"worker": PAIR}), "task.type is a job of the cluster, worker. Received: null"),
        (told({"worker": PAIR}, type="chief", index=0), 'a job of the cluster, worker. Received: "chief"'),
        (told({"worker": PAIR}, type=["worker"], index=0), 'Received: ["worker"]'),
        (told({"worker": PAIR}, type="evaluator", index=0), 'Received: "evaluator"'),
        (told({"worker": PAIR}, type="worker"), "an integer in [0, 1], one for each worker. Received: null"),
        (told({"worker": PAIR}, type="worker", index=2), "Received: 2"),
        (told({"worker": PAIR}, type="worker", index=-1), "Received: -1"),
        (told({"worker": PAIR}, type="worker", index="0"), 'Received: "0"'),
        (told({"worker": PAIR}, type="worker", index=True), "Received: true"),
        (told({"worker": PAIR}, type="worker", index=0.0), "Received: 0.0"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_one_line(monkeypatch, text, reason):
    monkeypatch.setenv("TF_CONFIG", text)
    for call in (cluster.workers, distribute.strategy):
        with pytest.raises(ConfigError) as raised:
            call()
        first = str(raised.value).splitlines()[0]
        assert first.startswith("TF_CONFIG") and reason in first and len(first) < 300
    assert distribute.strategy("one_device").num_replicas_in_sync == 1  # which does not ask


@pytest.mark.parametrize("kind", ["one_device", "mirrored"])
def test_a_strategy_of_one_process_counts_no_others(monkeypatch, kind):
    monkeypatch.setenv("TF_CONFIG", told({"worker": PAIR}, type="worker", index=1))
    strategy = distribute.strategy(kind)
    assert cluster.workers() == 0 and cluster.own_number() is None
    assert distribute.worker_index(strategy) == 0 and distribute.of_replicas(strategy, 7) == [7]
    cluster.tell(PAIR, 0, "srun")  # which starts what it is told to
    distribute.strategy(kind)
    assert cluster.workers() == 0
    cluster.tell(PAIR, 0, "--workers")
    with pytest.raises(
        ConfigError, match=f"^strategy.kind = '{kind}' trains in one process: leave it or --work"
    ):
        distribute.strategy(kind)
    assert cluster.workers() == 2


def test_one_worker_trains_as_one_device_and_a_host_that_is_not_known_is_named(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", told({"worker": PAIR[:1]}, type="worker", index=0))
    assert distribute.strategy().num_replicas_in_sync == 1
    monkeypatch.setenv("TF_CONFIG", told({"worker": ["no host:5001", PAIR[0]]}, type="worker", index=0))
    with pytest.raises(ConfigError, match='^TF_CONFIG: this process\'s host is known. Received: "no host"'):
        distribute.strategy()


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def test_workers_wait_until_all_can_be_reached_and_name_who_is_not(monkeypatch):
    ports = free_ports(3)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    monkeypatch.setenv("TF_CONFIG", "")
    cluster.tell(addresses, 1, "--workers")
    absent = f"^--workers: worker 2 at {addresses[2]} was not there in 0 s"
    with socket.create_server(("127.0.0.1", ports[0])):
        with pytest.raises(cluster.WorkerLost, match=absent):
            cluster.meet(0.3)
        late = threading.Timer(0.4, lambda: held.append(socket.create_server(("127.0.0.1", ports[2]))))
        held = []
        late.start()
        began = time.monotonic()
        cluster.meet(60)
        assert 0.3 < time.monotonic() - began < 30 and len(held) == 1
        held[0].close()
    taken = f"this process's port is free: .* Received: {ports[1]}"
    with socket.create_server(("", ports[1])), pytest.raises(ConfigError, match=taken):
        cluster.meet(60)
    with socket.create_server(("", ports[1])):  # and lets go of its own
        pass


RESET = """Graph execution error:

Collective ops is aborted by: recvmsg:Connection reset by peer
Additional GRPC error information from remote target /job:worker/replica:0/task:1 while calling /tensorflow.WorkerService/RecvBuf:
:UNKNOWN:Error received from peer  {grpc_status:14, grpc_message:"recvmsg:Connection reset by peer"}"""  # noqa: E501
SILENT = """Collective ops is aborted by: Error reported from /job:worker/task:1: The following tasks are unhealthy
(stopped sending heartbeats):
/job:worker/replica:0/task:1"""


@pytest.mark.slow
def test_an_error_that_says_that_a_worker_is_gone_is_one_line_about_it(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", told({"worker": PAIR}, type="worker", index=0))
    for message in (RESET, SILENT):
        line = distribute.told_of_loss(tf.errors.UnavailableError(None, None, message))
        assert line.startswith("another worker, it seems number 1, has ended or cannot be reached: ")
        assert "\n" not in line
    assert cluster.own_number() == 0
    own = tf.errors.UnavailableError(None, None, RESET.replace("task:1", "task:0"))
    assert distribute.told_of_loss(own).startswith("another worker has ended")
    closed = tf.errors.AbortedError(None, None, "Collective ops is aborted by: Socket closed")
    assert distribute.told_of_loss(closed).startswith("another worker has ended")
    full = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor on /job:worker/task:0")
    assert distribute.told_of_loss(full) is None
    monkeypatch.delenv("TF_CONFIG")
    assert distribute.told_of_loss(closed) is None
