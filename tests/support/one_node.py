"""A cluster of one node from Debian's packages, with all its files in a directory of its own.

Needs root: slurmd starts jobs as their users.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue", "sinfo"]
CORES = min(2, os.cpu_count() or 1)
MEBIBYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
# A requeued job waits until its credential has expired: by default two minutes.
AuthInfo=socket={root}/munge/socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=1
ReturnToService=2
KillWait=30
MinJobAge=3600
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """Return why there can be no cluster here; empty if there can."""
    if os.geteuid() != 0:
        return "Slurm's daemons are started as root, which this user is not"
    gone = [program for program in PROGRAMS if shutil.which(program, path=search_path()) is None]
    if gone:
        return f"no {', '.join(gone)}: apt-get install slurmd slurmctld slurm-client munge"
    return ""


def search_path():
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def daemon(*command, log, **options):
    """Run a program that stays in the foreground; it is gone at the end, whatever happens."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()


class Cluster:
    """Its commands."""

    def __init__(self, root):
        self.root = root
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))},
            "PATH": search_path(),
            "SLURM_CONF": str(root / "slurm.conf"),
        }

    def call(self, *command, env=None, timeout=60, **options):
        done = subprocess.run(
            [*map(str, command)],
            env=env or self.variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout.strip()

    def signal(self, job, name):
        """Send a signal to a job's script, once.

        Slurm 22.05 delivers it, yet may answer "try again later", which scancel does after five seconds.
        """
        command = ["scancel", "--batch", f"--signal={name}", job]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, env=self.variables, timeout=3, check=True)

    def state(self, job):
        """Return a job's (or array task's) JobState, such as RUNNING."""
        return self.fields(job)["JobState"]

    def fields(self, job):
        text = self.call("scontrol", "--oneliner", "show", "job", job)
        return dict(word.partition("=")[::2] for word in text.split())

    def logs(self):
        return "\n".join(
            f"--- {path.name}\n" + path.read_text("utf-8", "replace")[-3000:]
            for path in self.root.glob("*.log")
        )


def wait_until(holds, what, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.2)


@contextmanager
def started(root):
    for name in ("state", "spool", "munge"):
        (root / name).mkdir()
    key = root / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    for path in (root / "munge", key):
        shutil.chown(path, "munge", "munge")
    host = socket.gethostname().partition(".")[0]
    (root / "slurm.conf").write_text(
        CONFIGURATION.format(
            root=root,
            host=host,
            cores=CORES,
            memory=MEBIBYTES * 9 // 10,
            controller_port=free_port(),
            node_port=free_port(),
        )
    )
    cluster = Cluster(root)
    options = {"log": root / "daemons.log", "env": cluster.variables}
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
    munge = [f"--{option}={root}/munge/{name}" for option, name in files.items()]
    with ExitStack() as running:
        running.enter_context(
            daemon("munged", "--foreground", *munge, user="munge", group="munge", **options)
        )
        wait_until((root / "munge" / "socket").exists, "munged's socket", 20)
        running.enter_context(daemon("slurmctld", "-D", "-f", root / "slurm.conf", **options))
        running.enter_context(daemon("slurmd", "-D", "-N", host, "-f", root / "slurm.conf", **options))
        wait_until(lambda: node_is_idle(cluster), "an idle node", 60)
        yield cluster
        leave_no_job(cluster)


def node_is_idle(cluster):
    done = subprocess.run(
        ["sinfo", "--noheader", "--format=%t"],
        env=cluster.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() == "idle"


def leave_no_job(cluster):
    """End what a failed test left running, so that no process outlives the node."""
    cluster.call("scancel", "--user=root")
    wait_until(lambda: not cluster.call("squeue", "--noheader"), "the end of all jobs", 60)
