"""`--cluster`: processes whose data or network hangs.

Most of the time the tests wait for the limits that docs/clusters.md states: some minutes in all.
"""

import os
import shutil
import subprocess
from contextlib import ExitStack

import pytest
from cluster_runs import (
    TOGETHER,
    checkpointed,
    ended,
    free_ports,
    local_addresses,
    logs,
    result,
    retried,
    same_result,
    started,
    train_unbroken,
    wait_for,
)
from offered import install
from required_tools import require_tool

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A directory with trainings that nothing interrupts."""
    directory = tmp_path_factory.mktemp("long")
    train_unbroken(directory, 2)
    return directory


HANGS = """\
import json, os, time
from job.problems.generated import GeneratedProblem
from job.problems.vocabulary import Vocabulary

class Letters(GeneratedProblem):
    fixed_length = True
    source_space = 4**3
    max_target_length = 3

    def __init__(self, options, seed, directory):
        super().__init__(seed)
        self.source_vocabulary = self.target_vocabulary = Vocabulary.learn("abcd", "", closed=True)
        self.mark = directory / "hang"

    def draw(self, generator, count):
        rank = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": -1}}'))["task"]["index"]
        if self.mark.is_file() and self.mark.read_text() == str(rank):
            self.mark.unlink()
            time.sleep(3600)
        source = generator.integers(1, 5, (count, 3)).astype("int32")
        return source, source[:, ::-1].copy()

    def describe(self):
        return {}
"""


def test_a_process_that_hangs_in_its_data_is_named_though_its_heartbeats_go_on(tmp_path):
    """Its worker answers the others; it only never takes the next step, as on a file server that hangs."""
    problem = "problem: {kind: plugin, name: letters}"
    text = TOGETHER.replace("problem: {kind: reverse, source_length: 3, cardinality: 8}", problem)
    (tmp_path / "jobs.yaml").write_text(text.replace("EPOCHS", "8"))
    install(tmp_path / "site", "letters_package", HANGS, name="letters", target="Letters")
    addresses = local_addresses(3)
    path = f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    with started(tmp_path, "output", addresses=addresses, more={"PYTHONPATH": path}) as processes:
        wait_for(lambda: checkpointed(tmp_path, "output"), 120)
        (tmp_path / "new").write_text("2")
        (tmp_path / "new").rename(tmp_path / "hang")
        assert ended(processes) == [0, 0, 0], logs(tmp_path, "output")
    line = retried(tmp_path, "output")
    assert f"process 2 of 3 ({addresses[2]})" in line
    assert "process 1 of 3" not in line
    assert result(tmp_path, "output")["attempts"] == 2


@pytest.fixture
def network():
    """Two network namespaces with a link: their names, addresses, and a function that cuts or mends it."""
    own = os.getpid()
    names, ends = [f"s2s-{own}-{i}" for i in (0, 1)], [f"s{own}-{i}" for i in (0, 1)]
    require_tool("" if shutil.which("ip") else "no ip: apt-get install iproute2", "REQUIRE_NETWORK")

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    with ExitStack() as stack:
        try:
            for name in names:
                ip("netns", "add", name)
                stack.callback(ip, "netns", "del", name)
            ip("link", "add", ends[0], "netns", names[0], "type", "veth", "peer", ends[1], "netns", names[1])
            for i in (0, 1):
                ip("-n", names[i], "addr", "add", f"10.77.0.{i + 1}/24", "dev", ends[i])
                ip("-n", names[i], "link", "set", ends[i], "up")
                ip("-n", names[i], "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            require_tool(f"no network namespaces: {error.stderr.decode().strip()}", "REQUIRE_NETWORK")
        addresses = [f"10.77.0.{i + 1}:{port}" for i, port in enumerate(free_ports(2))]
        yield names, addresses, lambda state: ip("-n", names[1], "link", "set", ends[1], state)


def test_a_network_that_stays_cut_ends_the_batch_with_the_name_and_the_next_run_resumes(long, network):
    """The retry waits for the others in vain, as long as a process may take to load TensorFlow."""
    names, addresses, link = network
    prefixes = [["ip", "netns", "exec", name] for name in names]
    with started(long, "cut", addresses=addresses, prefixes=prefixes) as processes:
        wait_for(lambda: checkpointed(long, "cut"), 120)
        link("down")
        assert ended(processes, 360) == [1, 1], logs(long, "cut")
    name = f"process 1 of 2 ({addresses[1]})"
    assert name in retried(long, "cut")
    assert f"{name} cannot be reached" in result(long, "cut")["error"]["message"]
    link("up")
    with started(long, "cut", addresses=addresses, prefixes=prefixes) as processes:
        assert ended(processes) == [0, 0], logs(long, "cut")
    assert same_result(long, "cut", "unbroken-2")
