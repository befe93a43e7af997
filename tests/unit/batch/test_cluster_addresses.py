"""`--cluster`: the processes that an option or the variables of a cluster describe."""

import json
import socket

import pytest

from job.batch.cluster import parse_cluster
from job.errors import ClusterError


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def test_each_process_takes_the_first_free_address_of_its_machine():
    text = f"localhost:{free_port()},localhost:{free_port()}"
    first, second = parse_cluster(text, {}), parse_cluster(text, {})
    assert (first.rank, second.rank) == (0, 1)
    assert first.is_chief
    assert json.loads(second.variables["TF_CONFIG"]) == {
        "cluster": {"worker": text.split(",")},
        "task": {"type": "worker", "index": 1},
    }
    with pytest.raises(ClusterError, match="no address of this machine"):
        parse_cluster(text, {})


def test_an_address_of_another_machine_is_not_taken():
    port = free_port()
    cluster = parse_cluster(f"192.0.2.1:{port},localhost:{port}", {})
    assert cluster.rank == 1
    assert cluster.name(0) == f"process 0 of 2 (192.0.2.1:{port})"


def test_a_single_process_needs_no_network():
    assert parse_cluster(f"localhost:{free_port()}", {}).variables == {}


TASK = {"type": "worker", "index": 0}
AUTO = {
    "TF_CONFIG": (
        {"TF_CONFIG": json.dumps({"cluster": {"chief": ["a:1"], "worker": ["b:2"]}, "task": TASK})},
        ("a:1", "b:2"),
        1,
    ),
    "Slurm": (
        {
            "SLURM_NTASKS": "3", "SLURM_PROCID": "2", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "10007",
            "SLURM_STEP_NODELIST": "n1,n2", "SLURM_STEP_TASKS_PER_NODE": "2,1",
        },
        ("n1:23463", "n1:23464", "n2:23465"),
        2,
    ),
    "Kubernetes": (
        {"JOB_COMPLETION_INDEX": "1", "JOB_COMPLETIONS": "2", "JOB_NAME": "train", "JOB_SERVICE": "peers"},
        ("train-0.peers:23456", "train-1.peers:23456"),
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("variables", "addresses", "rank"), AUTO.values(), ids=AUTO)
def test_auto_reads_the_variables_of_a_cluster(variables, addresses, rank):
    cluster = parse_cluster("auto", variables)
    assert (cluster.addresses, cluster.rank) == (addresses, rank)


WRONG = {
    "no port": ("node1", {}, "'node1': expected HOST:PORT"),
    "no host": (":5", {}, "expected HOST:PORT"),
    "large port": ("a:65536", {}, "expected HOST:PORT"),
    "twice": ("a:1,a:1", {}, "an address stands twice"),
    "nothing": ("auto", {}, "TF_CONFIG is not set"),
    "no JSON": ("auto", {"TF_CONFIG": "{"}, "TF_CONFIG cannot be read"),
    "a parameter server": (
        "auto",
        {"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}'},
        "task type 'ps'",
    ),
    "outside": (
        "auto",
        {"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}'},
        "process 1 of 1",
    ),
    "no service": ("auto", {"JOB_COMPLETION_INDEX": "0", "JOB_COMPLETIONS": "2"}, "JOB_NAME or JOB_SERVICE"),
    "tasks": (
        "auto",
        {
            "SLURM_NTASKS": "3", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_STEP_NODELIST": "n1",
            "SLURM_STEP_TASKS_PER_NODE": "2",
        },
        "3 tasks on n1, but 2 a node",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "variables", "message"), WRONG.values(), ids=WRONG)
def test_what_describes_no_cluster_is_one_sentence(text, variables, message):
    with pytest.raises(ClusterError, match=message) as raised:
        parse_cluster(text, variables)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
