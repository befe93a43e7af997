"""Runs with a store on a real S3 server on the loopback: killed, with the disk emptied, in shards."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
import s3fs
from in_process import run_in
from moto.server import ThreadedMotoServer
from processes import checkpointed, ended, kill, outcome, read, start, wait_until

from job.storage import remote_files

SPEC = """\
version: 1
seed: 5
defaults:
  model: {units: 16}
  evaluation: {examples: 50, validation_examples: 20}
jobs:
  - name: long
    problem: {kind: reversed_prefix, source_length: 3, target_length: 2, cardinality: 6}
    training: {examples: 12800, epochs: 40, batch_size: 16, checkpoint_minutes: 0.005}
  - name: short
    problem: {kind: copy, source_length: 2, cardinality: 5}
    training: {examples: 640, batch_size: 32}
"""
SMALL = """\
version: 1
defaults:
  model: {units: 8}
  training: {examples: 640, batch_size: 32}
  evaluation: {examples: 50, validation_examples: 20}
jobs:
  - name: copy
    problem: {kind: copy, source_length: 1, cardinality: 5}
  - name: tutorial
    problem: {kind: copy, source_length: 2, cardinality: 5}
"""
PAIRS = """\
version: 1
defaults:
  problem: {kind: text_pairs, data: {file: "s3://BUCKET/words.tsv"}, split: {validation: 0.2, test: 0.2}}
  model: {units: 8}
  training: {examples: all, batch_size: 8}
jobs:
  - name: base
"""
DOCUMENT = Path(__file__).parents[2] / "docs" / "stores.md"
KEY = "notasecretkey"


@pytest.fixture(scope="module")
def server():
    found = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    found.start()
    host, port = found.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield found
    found.stop()


@pytest.fixture
def bucket(server, tmp_path):
    """A bucket of its own; its name."""
    name = f"bucket-{abs(hash(tmp_path))}"
    files(name).mkdir(name)
    (tmp_path / "jobs.yaml").write_text(SPEC)
    return name


def files(bucket):
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def stored_checkpoint(bucket, remote):
    """The step of the last checkpoint of `long` that a manifest in the store names."""
    try:
        manifest = json.loads(remote.cat_file(f"{bucket}/run/manifests/jobs/long.json"))
    except (OSError, ValueError):
        return 0
    names = [name for name in manifest["files"] if name.startswith("checkpoint/")]
    return max([int(name.removesuffix(".npz").rpartition("-")[2]) for name in names], default=0)


def wait_for_a_stored_checkpoint(bucket, process):
    """Its step; looked for by one client and seldom, for the server is in this process and needs its time."""
    remote = files(bucket)
    return wait_until(lambda: time.sleep(0.2) or stored_checkpoint(bucket, remote), process)


def test_a_killed_batch_goes_on_from_the_store_on_an_empty_disk(bucket, tmp_path):
    whole = run_in(tmp_path, "--workers", 1, "--output-dir", "whole")
    assert whole.code == 0, whole.err
    arguments = ("--workers", 1, "--store", f"s3://{bucket}/run")
    process = start(*arguments, cwd=tmp_path)
    try:
        reached = wait_for_a_stored_checkpoint(bucket, process)
        assert checkpointed(tmp_path / "output" / "jobs" / "long") > 0
        assert ended(process, signal.SIGKILL)[0] == -signal.SIGKILL
    finally:
        kill(process)
    shutil.rmtree(tmp_path / "output")
    code, said = ended(start(*arguments, cwd=tmp_path))
    assert code == 0, said
    assert KEY not in said
    jobs = tmp_path / "output" / "jobs"
    assert read(jobs / "long" / "result.json")["data"]["resumed_from_step"] >= reached > 0
    check_equal(tmp_path / "output", tmp_path / "whole")
    check_stored(bucket, tmp_path / "output")
    shutil.rmtree(tmp_path / "output")
    code, said = ended(start(*arguments, cwd=tmp_path))  # everything is done
    assert code == 0, said
    assert said.count("skip: nothing that decides its result has changed") == 2
    check_equal(tmp_path / "output", tmp_path / "whole")


def check_equal(output, whole):
    for name in ("long", "short"):
        assert outcome(output / "jobs" / name) == outcome(whole / "jobs" / name)


def check_stored(bucket, output):
    """Check that the bucket has the files of the output directory under the same names, and no others."""
    remote = files(bucket)
    found = {path.removeprefix(f"{bucket}/run/"): path for path in remote.find(f"{bucket}/run")}
    plain = {name: path for name, path in found.items() if not name.startswith(("manifests/", "queue/"))}
    local = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    local = {name: path for name, path in local.items() if not name.startswith((".lock", "cache/", "queue/"))}
    assert plain.keys() == local.keys()
    for name, path in plain.items():
        assert remote.cat_file(path) == local[name].read_bytes()


def test_shards_on_machines_without_a_shared_volume_meet_in_the_store(bucket, tmp_path):
    url = f"s3://{bucket}/run"
    shards = [
        start(
            "--shard",
            f"{index}/2",
            "--workers",
            1,
            "--output-dir",
            f"machine{index}",
            "--store",
            url,
            cwd=tmp_path,
        )
        for index in (1, 2)
    ]
    for shard in shards:
        code, said = ended(shard)
        assert code == 0, said
    merged = run_in(tmp_path, "report", "merged", "--store", url)
    assert merged.code == 0, merged.err
    report = json.loads(files(bucket).cat_file(f"{bucket}/run/report.json"))
    assert [job["name"] for job in report["jobs"]] == ["long", "short"]
    assert report["exit_code"] == 0
    assert len([*tmp_path.glob("machine*/jobs/*")]) == 2


def queue_file(bucket, name):
    return json.loads(files(bucket).cat_file(f"{bucket}/run/queue/1/{name}"))


def test_of_two_nodes_that_share_only_the_store_one_is_killed_and_the_other_ends_the_batch(bucket, tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC.replace("0.005", "0.03"))  # each is uploaded before the next
    url = f"s3://{bucket}/run"
    shared = ("--workers", 1, "--queue", "--lease-seconds", 4, "--store", url, "--output-dir")
    nodes = [start(*shared, f"machine{number}", cwd=tmp_path) for number in (1, 2)]
    try:
        reached = wait_for_a_stored_checkpoint(bucket, nodes[0])
        owner = queue_file(bucket, f"nodes/{queue_file(bucket, 'leases/long.1')['node']}.json")["pid"]
        killed, left = sorted(nodes, key=lambda node: node.pid != owner)
        seen = run_in(tmp_path, "status", url, "--format", "json")
        assert ended(killed, signal.SIGKILL)[0] == -signal.SIGKILL
        code, said = ended(left)
    finally:
        for node in nodes:
            kill(node)
    assert code == 0, said
    assert KEY not in said
    states = {job["name"]: (job["state"], job["host"]) for job in json.loads(seen.out)["jobs"]}
    assert states["long"] == ("training", socket.gethostname())
    assert said.count("long: trained") == said.count("short: trained") == 1
    leases = {path.rpartition("/")[2] for path in files(bucket).find(f"{bucket}/run/queue/1/leases")}
    assert {name for name in leases if not name.startswith(".")} == {"long.1", "long.2", "short.1"}
    output = tmp_path / f"machine{nodes.index(left) + 1}"
    assert read(output / "jobs" / "long" / "result.json")["data"]["resumed_from_step"] >= reached > 0
    check_stored(bucket, output)
    report = read(output / "report.json")
    assert [(job["name"], job["reused"]) for job in report["jobs"]] == [("long", False), ("short", False)]
    assert report["exit_code"] == 0


def test_data_and_a_model_to_start_from_come_from_the_store(bucket, tmp_path, monkeypatch):
    words = "".join(f"{word}b\t{word}\n" for word in "acdefghijklmnopqrstuvwxy")
    files(bucket).pipe_file(f"{bucket}/words.tsv", words.encode())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec = PAIRS.replace("BUCKET", bucket)
    (tmp_path / "jobs.yaml").write_text(spec)
    first = run_in(tmp_path, "--workers", 1, "--store", f"s3://{bucket}/run")
    assert first.code == 0, first.err
    shutil.rmtree(tmp_path / "output")
    start_from = f"    training: {{start_from: s3://{bucket}/run/jobs/base}}\n"
    (tmp_path / "jobs.yaml").write_text(spec.replace("name: base", "name: child") + start_from)
    remote = files(bucket)
    process = start("--workers", 1, cwd=tmp_path)
    try:
        wait_until((tmp_path / "output" / "plan.json").exists, process)
        remote.pipe_file(f"{bucket}/words.tsv", words.replace("a", "z").encode())
        code, said = ended(process)
    finally:
        kill(process)
    assert code == 1, said
    assert f"s3://{bucket}/words.tsv has changed" in said
    again = run_in(tmp_path, "--workers", 1)
    assert again.code == 0, again.err
    result = read(tmp_path / "output" / "jobs" / "child" / "result.json")
    digest = hashlib.sha256(words.replace("a", "z").encode()).hexdigest()
    assert result["data"]["files"] == {f"s3://{bucket}/words.tsv": digest}
    assert len([*(tmp_path / "cache").rglob("words.tsv")]) == 1


def test_a_server_that_goes_away_for_a_while_is_waited_for(bucket, server, tmp_path):
    remote = files(bucket)
    process = start("--only", "short", "--workers", 1, "--store", f"s3://{bucket}/run", cwd=tmp_path)
    try:
        plan = f"{bucket}/run/manifests/plan.json.json"
        wait_until(lambda: time.sleep(0.1) or remote.exists(plan), process)
        port = server.get_host_and_port()[1]
        server.stop()
        wait_until((tmp_path / "output" / "jobs" / "short" / "result.json").exists, process)
        time.sleep(1)
        server._port, server._server_ready = port, False
        server.start()
        code, said = ended(process)
    finally:
        kill(process)
    assert code == 0, said
    check_stored(bucket, tmp_path / "output")


def test_the_commands_of_the_document(bucket, tmp_path):
    (tmp_path / "jobs.yaml").write_text(SMALL)
    (tmp_path / "words.txt").write_text("1 2\n")
    files(bucket).mkdir("my-bucket")
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if not line.startswith("kubectl ")]
    assert len(lines) == 12
    for line in lines:
        program, *arguments = line.split()
        assert program == "seq2seq-job"
        code, said = ended(start(*arguments, cwd=tmp_path))
        assert code == 0, f"{line}\n{said}"
    assert not files(bucket).find("my-bucket/nightly/heartbeats")
    report = json.loads(files(bucket).cat_file("my-bucket/sharded/report.json"))
    assert report["totals"]["passed"] == 2


@pytest.mark.parametrize(
    ("url", "variables", "sentence", "said"),
    [
        ("s3://none/run", {}, "The specified bucket does not exist", "there is no bucket none"),
        ("s3://b/run", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect", "Could not connect"),
        (
            "s3://b/run",
            {"AWS_ACCESS_KEY_ID": "", "AWS_EC2_METADATA_DISABLED": "true"},
            "credentials",
            "credentials",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_one_sentence(server, tmp_path, url, variables, sentence, said):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote_files, "WAITS", (0.1,))
        for name, value in variables.items():
            patch.setenv(name, value)
        found, read_only = run_in(tmp_path, "--store", url), run_in(tmp_path, "rank", url)
    assert (found.code, read_only.code) == (2, 2)
    assert len(read_only.err.splitlines()) == 1
    assert said in read_only.err
    assert KEY not in read_only.err
    assert len(found.err.splitlines()) == 1
    assert sentence in found.err
    assert KEY not in found.err
    assert not (tmp_path / "output" / "plan.json").exists()
    assert os.listdir(tmp_path / "output" / "jobs") == []
