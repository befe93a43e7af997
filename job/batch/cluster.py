"""The processes that train one model together: given by `--cluster`, or read from variables of a cluster.

Every process is started with the same command. Which one it is follows from the cluster's variables or, for a
list of addresses, from the first address of this machine that no other process has taken.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from job.errors import ClusterError

DEFAULT_PORT = 23456
"""Port of a process for which a cluster's variables name a machine alone."""

PORTS = 10_000
"""Number of ports after `DEFAULT_PORT` over which the jobs of a Slurm cluster are spread."""

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Cluster:
    """The processes of a cluster, of which this is one.

    Args:
        addresses: `HOST:PORT` of each process; the first one is the chief, which writes all results.
        rank: index of this process.
    """

    addresses: tuple[str, ...]
    rank: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which TensorFlow finds the other processes; none for a single one."""
        if len(self.addresses) == 1:
            return {}
        task = {"type": "worker", "index": self.rank}
        return {"TF_CONFIG": json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})}

    def name(self, rank: int) -> str:
        """Return the name of a process in messages."""
        return f"process {rank} of {len(self.addresses)} ({self.addresses[rank]})"


def parse_cluster(text: str, environment: Environment) -> Cluster:
    """Read the value of `--cluster`.

    Args:
        text: `auto`, or `HOST:PORT,HOST:PORT,...`.
        environment: the variables of this process; used for `auto` only.

    Raises:
        ClusterError: the text or the variables describe no cluster, or this process is none of it.
    """
    if text == "auto":
        return _from_environment(environment)
    addresses = tuple(part.strip() for part in text.split(","))
    for address in addresses:
        _check_address("--cluster", address)
    if len(set(addresses)) < len(addresses):
        raise ClusterError(f"--cluster {text}: an address stands twice; give each process one of its own")
    for rank, address in enumerate(addresses):
        host, _, port = address.rpartition(":")
        if _is_local(host) and _take_port(int(port)):
            return Cluster(addresses, rank)
    raise ClusterError(
        f"--cluster {text}: no address of this machine ({socket.gethostname()}) is free; give one address "
        "for each process, and start the command once for each"
    )


def _check_address(place: str, address: str) -> None:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:,\[\]]+):(\d{1,5})", address)
    if not match or not 1 <= int(match[2]) <= 65_535:
        raise ClusterError(f"{place} {address!r}: expected HOST:PORT, such as node1:23456")


def _is_local(host: str) -> bool:
    """Return whether a name or an address is of this machine."""
    with suppress(OSError):
        for *_, address in socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM):
            family = socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
            with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address[0], 0))
                return True
    return False


def _take_port(port: int) -> bool:
    """Take a port of this machine for as long as this process lives; return False if another has it."""
    path = Path(tempfile.gettempdir()) / f"seq2seq-job-{os.getuid()}-{port}.lock"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    return True


# --- clusters ---------------------------------------------------------------------------------------------


def _from_environment(environment: Environment) -> Cluster:
    for read in (_tf_config, _slurm, _kubernetes):
        if (cluster := read(environment)) is not None:
            return cluster
    raise ClusterError(
        "--cluster auto: TF_CONFIG is not set, and neither are the variables of a Slurm step (srun) or of an "
        "Indexed Job of Kubernetes; give --cluster HOST:PORT,HOST:PORT,..."
    )


def _tf_config(environment: Environment) -> Cluster | None:
    text = environment.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        workers = [
            str(w) for w in [*config["cluster"].get("chief", []), *config["cluster"].get("worker", [])]
        ]
        kind, index = config["task"]["type"], int(config["task"]["index"])
        offset = len(config["cluster"].get("chief", [])) if kind == "worker" else 0
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"--cluster auto: TF_CONFIG cannot be read ({error}); see TensorFlow's guide"
        ) from None
    if kind not in ("chief", "worker"):
        raise ClusterError(f"--cluster auto: TF_CONFIG says task type {kind!r}; expected chief or worker")
    return _checked("TF_CONFIG", workers, offset + index)


def _slurm(environment: Environment) -> Cluster | None:
    """Read a Slurm step: one process for each task, with a port that depends on the job and the task."""
    count, rank = environment.get("SLURM_NTASKS"), environment.get("SLURM_PROCID")
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST")
    if not (count and rank and nodes and environment.get("SLURM_STEP_ID")):
        return None
    tasks = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get("SLURM_TASKS_PER_NODE") or "1"
    hosts = _slurm_hosts(nodes)
    first = DEFAULT_PORT + int(environment.get("SLURM_JOB_ID", "0")) % PORTS
    places = [host for host, n in zip(hosts, _repeated(tasks), strict=False) for _ in range(n)]
    workers = [f"{host}:{first + i}" for i, host in enumerate(places)]
    if len(workers) != int(count):
        raise ClusterError(
            f"--cluster auto: Slurm says {count} tasks on {nodes}, but {tasks} a node; use srun with "
            "--distribution=block"
        )
    return _checked("Slurm", workers, int(rank))


def _slurm_hosts(nodes: str) -> list[str]:
    """Return the names of a Slurm node list, such as `node[1-3]`."""
    if "[" not in nodes:
        return nodes.split(",")
    try:
        done = subprocess.run(
            ["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ClusterError(f"--cluster auto: scontrol cannot list the nodes {nodes} ({error})") from None
    return done.stdout.split()


def _repeated(text: str) -> list[int]:
    """Return the numbers of Slurm's short form: `2(x3),1` is [2, 2, 2, 1]."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if not match:
            raise ClusterError(f"--cluster auto: expected tasks per node such as 2(x3), found {text!r}")
        numbers += [int(match[1])] * int(match[2] or 1)
    return numbers


def _kubernetes(environment: Environment) -> Cluster | None:
    """Read an Indexed Job with a headless service: pod I is reached as JOB-I.SERVICE."""
    index, count = environment.get("JOB_COMPLETION_INDEX"), environment.get("JOB_COMPLETIONS")
    if not (index and count):
        return None
    job, service = environment.get("JOB_NAME"), environment.get("JOB_SERVICE")
    if not (job and service):
        raise ClusterError(
            "--cluster auto: JOB_COMPLETION_INDEX is set, but JOB_NAME or JOB_SERVICE (the headless service) "
            "is not; the Job's manifest must set both, see docs/clusters.md"
        )
    workers = [f"{job}-{i}.{service}:{DEFAULT_PORT}" for i in range(int(count))]
    return _checked("Kubernetes", workers, int(index))


def _checked(place: str, workers: Sequence[str], rank: int) -> Cluster:
    for worker in workers:
        _check_address(f"--cluster auto: {place}:", worker)
    if not 0 <= rank < len(workers):
        raise ClusterError(f"--cluster auto: {place} says process {rank} of {len(workers)}")
    return Cluster(tuple(workers), rank)
