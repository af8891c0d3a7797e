"""Which processes train together where nobody wrote a TF_CONFIG: by flags, or as mpirun or srun started them.

The first that says so is taken: `--workers`, `TF_CONFIG`, mpirun, srun. A process that mpirun or srun has started
alone trains alone, and so does one in a batch script without srun, or in a shell that srun has opened on a terminal
(`srun --pty bash`): there SLURM's variables are those of the shell's job and say nothing of the process.
mpirun comes before srun: in a job of SLURM it has its daemons started by srun, whose variables its processes inherit.
"""

import itertools
import os
import re
import sys
import zlib

from tfgans import cluster
from tfgans.errors import ConfigError

# Ports are a function of the job, so that all its processes find the same ones and those of two jobs on a machine
# differ. They end below those that Linux gives to outgoing connections, 32768 and above.
_FIRST_PORT, _PORTS = 12000, 16000
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
_MOST = 65536  # processes, and machines of a list


def settle(addresses=None, task=None, interactive=None):
    """Says to `TF_CONFIG`, for the rest of this process, who trains with it; leaves it alone if nobody does.

    Args:
        addresses: `host:port` of each process, those of --workers, or None.
        task: this process's number among them, that of --task, or None: as mpirun or srun numbers it.
        interactive: whether it was typed in a terminal; None: whether stdin is one.
    Raises: ConfigError, in one line, if that contradicts itself or leaves something open.
    """
    environ = os.environ
    if interactive is None:
        interactive = bool(sys.stdin) and not sys.stdin.closed and sys.stdin.isatty()
    told, number = cluster.members_of(environ.get("TF_CONFIG") or "{}")
    if addresses is not None:
        addresses = [address.strip() for address in addresses]
        _check(addresses)
        if task is None:
            task = number if told == addresses else _number_among(addresses, _started(environ, interactive))
        _check_number(task, len(addresses))
        if told and (told, number) != (addresses, task):
            raise ConfigError(
                f"--workers and --task say {','.join(addresses)} and {task}, TF_CONFIG says {','.join(told)} and "
                f"{number}: leave one of them out"
            )
        cluster.tell(addresses, task, "--workers")
    elif task is not None:
        raise ConfigError("--task is a number among --workers=host:port,host:port: give them, too")
    elif not told:
        started = _started(environ, interactive)
        if started is not None:
            cluster.tell(started.addresses(), started.number, started.name)


def alone(environ):
    """The variables of `environ` for a process that trains alone, whatever has started this one."""
    names = ("TF_CONFIG", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NODELIST")
    return {name: value for name, value in environ.items() if name not in names}


def processors():
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def sharing(environ, processes):
    """As `alone`, for one of several processes at a time: with threads for its share of the processors.

    By default each would have as many threads as there are processors, which wait for each other. What `environ`
    says of threads stays. The last bits of sums depend on how many there are.
    """
    share = str(max(1, processors() // processes))
    threads = dict.fromkeys(_THREADS, share) if processes > 1 else {}
    return threads | alone(environ)


def _check(addresses):
    for address in addresses:
        if not cluster.is_address(address):
            raise ConfigError(
                f"--workers is host:port,host:port with ports of 1 to 65535. Received: {address[:200]!r}"
            )
    twice = [address for address in addresses if addresses.count(address) > 1]
    if not addresses or twice:
        words = f"has {twice[0]} twice" if twice else "names nobody"
        raise ConfigError(f"--workers {words}: it is host:port of every process")


def _number_among(addresses, started):
    """This process's number among `addresses`, as its launcher has it."""
    if started is None:
        last = len(addresses) - 1
        raise ConfigError(f"--workers needs --task, this process's number among them, in [0, {last}]")
    if started.count != len(addresses):
        raise ConfigError(
            f"--workers names {len(addresses)} processes, {started.name} has started {started.count}"
        )
    return started.number


def _check_number(task, count):
    if not 0 <= task < count:
        raise ConfigError(
            f"--task is this process's number among --workers, in [0, {count - 1}]. Received: {task}"
        )


class _Started:
    """A process that a launcher has started beside others; `addresses()` gives `host:port` of all of them.

    Args:
        name: of the launcher. count, number: how many there are, and which of them this one is.
        job: a text that the processes of this job alone have.
    """

    def __init__(self, name, count, number, job):
        if not 0 <= number < count <= _MOST:
            raise ConfigError(f"{name} says that this is process {number} of {count}, which cannot be")
        self.name, self.count, self.number = name, count, number
        self.port = _FIRST_PORT + zlib.crc32(job.encode()) % _PORTS


class _Mpirun(_Started):
    """A process of Open MPI's mpirun, which says where its processes are only if all are on one machine."""

    def __init__(self, environ):
        names = ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK")
        job = environ.get("PMIX_NAMESPACE") or environ.get("OMPI_MCA_ess_base_jobid", "")
        super().__init__("mpirun", *(_integer(environ, name) for name in names), job)
        self.here = _integer(environ, "OMPI_COMM_WORLD_LOCAL_SIZE")

    def addresses(self):
        if self.here != self.count:
            raise ConfigError(
                f"mpirun does not say on which machines its {self.count} processes are: name them, in the order of "
                "their ranks, by --workers=host:port,host:port"
            )
        return [f"127.0.0.1:{self.port + i}" for i in range(self.count)]


class _Srun(_Started):
    """A task of a step of SLURM's srun."""

    def __init__(self, environ):
        job = f"{environ.get('SLURM_JOB_ID')}.{environ.get('SLURM_STEP_ID')}"
        super().__init__("srun", _tasks_of_step(environ), _integer(environ, "SLURM_PROCID"), job)
        self.environ = environ

    def addresses(self):
        nodes = hosts_of(self.environ["SLURM_STEP_NODELIST"])
        places = [(node, i) for node, count in enumerate(self._tasks_on(nodes)) for i in range(count)]
        names = ("SLURM_NODEID", "SLURM_LOCALID")
        if all(name in self.environ for name in names):
            own = tuple(_integer(self.environ, name) for name in names)
            if own != places[self.number]:
                raise ConfigError(
                    f"srun has not numbered its tasks machine by machine (task {self.number} is number {own[1]} of "
                    f"machine {own[0]}): start them by srun --distribution=block"
                )
        return [f"{nodes[node]}:{self.port + i}" for node, i in places]

    def _tasks_on(self, nodes):
        """How many tasks each machine has."""
        names = ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
        said = [(name, self.environ[name]) for name in names if name in self.environ]
        counts = _counts(*said[0]) if said else [1] * len(nodes)
        if len(counts) != len(nodes) or sum(counts) != self.count:
            each = said[0][1] if said else "one on each"
            raise ConfigError(
                f"srun says that {self.count} tasks are on {len(nodes)} machines, {each}, which cannot be"
            )
        return counts


def _started(environ, interactive):
    """The `_Started` of this process; None if no launcher has started it beside others."""
    if "OMPI_COMM_WORLD_SIZE" in environ:
        return None if _integer(environ, "OMPI_COMM_WORLD_SIZE") == 1 else _Mpirun(environ)
    if interactive or "SLURM_STEP_NODELIST" not in environ or _tasks_of_step(environ) == 1:
        return None
    return _Srun(environ)


def _tasks_of_step(environ):
    names = [name for name in ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS") if name in environ]
    return _integer(environ, names[0]) if names else 1


def _integer(environ, name):
    text = environ.get(name, "")
    if not re.fullmatch("[0-9]{1,9}", text.strip()):
        raise ConfigError(f"the variable {name} is an integer. Received: {text[:200]!r}")
    return int(text)


def hosts_of(text):
    """The machines of a list as SLURM writes it, such as `n[001-003,7],login`, in its order.

    Raises: ConfigError, in one line, if it is no such list.
    """
    parts = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text)
    found = []
    if ",".join(parts) == text.strip():
        for part in parts:
            pieces = [
                _numbers(piece[1:-1]) if piece[0] == "[" else [piece]
                for piece in re.findall(r"\[[^\]]*\]|[^\[]+", part.strip())
            ]
            found.extend("".join(one) for one in itertools.islice(itertools.product(*pieces), _MOST + 1))
    if not found or len(found) > _MOST or not all(re.fullmatch(r"[\w.-]+", host) for host in found):
        raise ConfigError(
            f"SLURM_STEP_NODELIST is a list of machines, such as n[001-003],login. Received: {text[:200]!r}"
        )
    return found


def _numbers(text):
    """`001-003,7` as ["001", "002", "003", "7"]; [] if it is no such text."""
    found = []
    for part in text.split(","):
        ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if not ends:
            return []
        first, last = int(ends[1]), int(ends[2] or ends[1])
        found += [str(number).zfill(len(ends[1])) for number in range(first, min(last, first + _MOST) + 1)]
    return found


def _counts(name, text):
    """`3(x2),1` as [3, 3, 1]."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,6})(?:\(x(\d{1,5})\))?", part.strip())
        if not match:
            raise ConfigError(f"the variable {name} is as 2(x3),1. Received: {text[:200]!r}")
        found += [int(match[1])] * int(match[2] or 1)
    return found
