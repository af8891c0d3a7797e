"""Who trains together: by flags, as mpirun or srun started the processes; and one line for what cannot be known."""

import json
import os

import pytest
from configurations import ROOT, commands
from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver as tensorflows

from tfgans import cluster, launchers
from tfgans.compare import processes
from tfgans.config import ConfigError

PAIR = ["one:5001", "two:5002"]
TOLD = json.dumps({"cluster": {"worker": PAIR}, "task": {"type": "worker", "index": 1}})
SRUN = {
    "SLURM_JOB_ID": "42",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "n[009-010],login",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2),2",
    "SLURM_PROCID": "3",
    "SLURM_NODEID": "2",
    "SLURM_LOCALID": "1",
}
MPIRUN = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
WORKERS = ["n009", "n010", "login", "login"]


@pytest.fixture
def found(monkeypatch):
    """What `settle` makes of variables and flags: `(addresses, number)`."""

    def found(variables, workers=None, task=None, interactive=False):
        monkeypatch.setenv("TF_CONFIG", "")  # which is set back, then, whatever `settle` writes
        for name in [name for name in os.environ if name.startswith(("SLURM_", "OMPI_"))]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        launchers.settle(workers, task, interactive)
        return cluster.members_of(os.environ["TF_CONFIG"] or "{}")

    return found


def without(variables, *names):
    return {name: value for name, value in variables.items() if name not in names}


def test_flags_come_before_tf_config_mpirun_and_srun_in_this_order(found):
    everything = SRUN | MPIRUN | {"TF_CONFIG": TOLD}
    assert found(SRUN | MPIRUN, ["a:1", " b:2 ", "c:3"], 2) == (["a:1", "b:2", "c:3"], 2)
    assert cluster.source() == "--workers"
    assert found(everything) == (PAIR, 1) and cluster.source() == "TF_CONFIG"
    assert found(everything, PAIR, 1) == found(everything, PAIR) == (PAIR, 1)
    hosts, number = found(SRUN | MPIRUN)
    assert [host.split(":")[0] for host in hosts] == ["127.0.0.1"] * 2 and number == 1
    assert cluster.source() == "mpirun"
    hosts, number = found(SRUN)
    assert [host.split(":")[0] for host in hosts] == WORKERS and number == 3 and cluster.source() == "srun"
    assert found({}) == ([], None)


def test_the_rank_is_the_number_among_workers_that_flags_name(found):
    assert found(MPIRUN | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, PAIR) == (PAIR, 1)
    assert found(SRUN, ["a:1", "b:1", "c:1", "d:1"])[1] == 3
    assert found(MPIRUN, PAIR, 0)[1] == 0  # unless they say which one this is
    assert found({"OMPI_COMM_WORLD_SIZE": "2"}, PAIR, 0)[1] == 0  # with nothing else asked


def test_all_tasks_of_a_step_find_the_same_addresses_and_other_steps_others(found):
    places = [(0, 0), (1, 0), (2, 0), (2, 1)]
    of_task = [
        found(SRUN | {"SLURM_PROCID": str(i), "SLURM_NODEID": str(node), "SLURM_LOCALID": str(local)})
        for i, (node, local) in enumerate(places)
    ]
    assert [number for _, number in of_task] == [0, 1, 2, 3]
    assert all(addresses == of_task[0][0] for addresses, _ in of_task)
    ports = [int(address.split(":")[1]) for address in of_task[0][0]]
    assert ports == [ports[0]] * 3 + [ports[0] + 1] and min(ports) >= 12000 and max(ports) < 32768
    other = found(SRUN | {"SLURM_STEP_ID": "1"})[0]
    assert int(other[0].split(":")[1]) not in ports


@pytest.mark.parametrize(
    "variables",
    [
        without(SRUN, "SLURM_STEP_NODELIST"),  # a batch script, or ssh into a job
        SRUN | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},  # srun --ntasks=1, in a job of four tasks
        without(SRUN, "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
        MPIRUN | {"OMPI_COMM_WORLD_SIZE": "1"},
        SRUN | {"OMPI_COMM_WORLD_SIZE": "1"},  # mpirun -np 1: SLURM's variables are those of its daemon
        {"TF_CONFIG": "{}"},
    ],
)
def test_a_process_alone_trains_alone(found, variables):
    assert found(variables) == ([], None)


def test_a_shell_on_a_terminal_trains_alone(found):
    assert found(SRUN, interactive=True) == ([], None)
    assert found(MPIRUN, interactive=True)[1] == 1  # which hands its terminal to rank 0


def test_runs_that_are_compared_train_alone(found, monkeypatch):
    left = launchers.alone(SRUN | MPIRUN | {"TF_CONFIG": TOLD, "HOME": "/h"})
    assert left["HOME"] == "/h" and found(left) == ([], None)
    monkeypatch.setenv("TF_CONFIG", TOLD)
    assert "TF_CONFIG" not in processes._environment(2)


def test_a_step_may_leave_out_what_follows_from_the_rest(found):
    one_each = without(SRUN, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE", "SLURM_NODEID")
    one_each |= {"SLURM_NTASKS": "3", "SLURM_PROCID": "2"}
    assert [host.split(":")[0] for host in found(one_each)[0]] == ["n009", "n010", "login"]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("n[001-003,7],login", ["n001", "n002", "n003", "n7", "login"]),
        ("login", ["login"]),
        ("b1,a2", ["b1", "a2"]),  # in the list's order, which is that of the tasks
        ("n[1-2],m5,o[3-4,6,7-9]", ["n1", "n2", "m5", "o3", "o4", "o6", "o7", "o8", "o9"]),
        ("n[9-11]", ["n9", "n10", "n11"]),
    ],
)
def test_lists_of_machines_are_read_as_tensorflow_reads_them(text, hosts):
    assert launchers.hosts_of(text) == tensorflows.expand_hostlist(text) == hosts


def test_lists_with_more_than_one_range_and_with_an_end_are_read_too():
    assert launchers.hosts_of("r[1-2]n[05-06]-ib") == ["r1n05-ib", "r1n06-ib", "r2n05-ib", "r2n06-ib"]


@pytest.mark.parametrize(
    "text",
    ["", ",", "a,", "n[", "n[]", "n[1-]", "n[a]", "n[3-1]", "n]1[", "n 1", "n[1-99999]x[1-99999]"],
)
def test_what_is_no_list_of_machines_is_refused(text):
    with pytest.raises(
        ConfigError, match="^SLURM_STEP_NODELIST is a list of machines, such as .* Received: "
    ):
        launchers.hosts_of(text)


@pytest.mark.parametrize(
    ("variables", "workers", "task", "reason"),
    [
        ({}, None, 0, "--task is a number among --workers=host:port,host:port: give them, too"),
        (MPIRUN, None, 0, "--task is a number among"),
        ({}, [], 0, "--workers names nobody"),
        ({}, [""], 0, "--workers is host:port,host:port with ports of 1 to 65535. Received: ''"),
        ({}, ["one", "two:1"], 0, "Received: 'one'"),
        ({}, ["one:65536"], 0, "Received: 'one:65536'"),
        ({}, ["one:1", "one:1"], 0, "--workers has one:1 twice"),
        ({}, PAIR, 2, "--task is this process's number among --workers, in [0, 1]. Received: 2"),
        ({}, PAIR, None, "--workers needs --task, this process's number among them, in [0, 1]"),
        (MPIRUN, [*PAIR, "c:1"], None, "--workers names 3 processes, mpirun has started 2"),
        (SRUN, PAIR, None, "--workers names 2 processes, srun has started 4"),
        ({"TF_CONFIG": TOLD}, PAIR, 0, "say one:5001,two:5002 and 0, TF_CONFIG says one:5001,two:5002 and 1"),
        ({"TF_CONFIG": TOLD}, PAIR[::-1], 0, "leave one of them out"),
        ({"TF_CONFIG": "x"}, PAIR, 0, "TF_CONFIG is not JSON"),
        ({"TF_CONFIG": "x"}, None, None, "TF_CONFIG is not JSON"),
        (MPIRUN | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, None, None, "mpirun does not say on which machines its 2"),
        (MPIRUN | {"OMPI_COMM_WORLD_RANK": "2"}, None, None, "mpirun says that this is process 2 of 2"),
        (without(MPIRUN, "OMPI_COMM_WORLD_RANK"), None, None, "OMPI_COMM_WORLD_RANK is an integer. Received: ''"),
        (SRUN | {"SLURM_PROCID": "-1"}, None, None, "SLURM_PROCID is an integer. Received: '-1'"),
        (SRUN | {"SLURM_STEP_NODELIST": "n["}, None, None, "SLURM_STEP_NODELIST is a list of machines"),
        (SRUN | {"SLURM_STEP_TASKS_PER_NODE": "x"}, None, None, "SLURM_STEP_TASKS_PER_NODE is as 2(x3),1. Rec"),
        (SRUN | {"SLURM_STEP_TASKS_PER_NODE": "4"}, None, None, "4 tasks are on 3 machines, 4, which cannot be"),
        (SRUN | {"SLURM_STEP_TASKS_PER_NODE": "2(x3)"}, None, None, "4 tasks are on 3 machines, 2(x3), which"),
        (without(SRUN, "SLURM_STEP_TASKS_PER_NODE"), None, None, "4 tasks are on 3 machines, one on each, which"),
        (SRUN | {"SLURM_NODEID": "0"}, None, None, "start them by srun --distribution=block"),  # cyclic
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_cannot_be_known_is_one_line(found, variables, workers, task, reason):
    with pytest.raises(ConfigError) as raised:
        found(variables, workers, task)
    assert reason in str(raised.value) and "\n" not in str(raised.value) and len(str(raised.value)) < 300


def test_the_page_s_commands_name_each_process_once(found):
    told = []
    for words in commands(ROOT / "docs/devices.md"):
        flags = dict(word.removeprefix("--").split("=", 1) for word in words[1:] if word.startswith("--"))
        if "workers" in flags:
            told.append(found({}, flags["workers"].split(","), int(flags["task"])))
    assert told == [(["one:5000", "two:5000"], 0), (["one:5000", "two:5000"], 1)]


@pytest.mark.parametrize("processes, share", [(2, "4"), (3, "2"), (8, "1"), (20, "1")])
def test_processes_that_train_at_once_share_the_processors(processes, share, monkeypatch):
    """And nothing of several that train together; what somebody has set stays."""
    monkeypatch.setattr(launchers, "processors", lambda: 8)
    given = {"PATH": "p", "OMP_NUM_THREADS": "5", "TF_CONFIG": "{}"}
    threads = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), share)
    assert launchers.sharing(given, processes) == threads | {"PATH": "p", "OMP_NUM_THREADS": "5"}
    assert launchers.sharing(given, 1) == {"PATH": "p", "OMP_NUM_THREADS": "5"}
