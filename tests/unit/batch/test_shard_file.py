import json

import pytest
from sample_jobs import job_spec

from job.batch.balanced_shards import Deal, deal_jobs
from job.batch.lock import lock_output
from job.batch.shard import parse_shard
from job.batch.shard_file import agreed_deal, plan_fingerprint, read_deal, save_deal
from job.batch.shard_jobs import jobs_of_shard
from job.errors import OutputError
from job.spec.gate_section import GateSpec
from job.spec.training_section import TrainingSpec
from job.storage.artifacts import OutputPaths

SECONDS = {"a": 5.0, "b": 4.0, "c": 3.0}
OTHER_SECONDS = {"a": 1.0, "b": 4.0, "c": 30.0}


def test_the_first_shard_decides_for_all(output):
    first = deal_jobs(SECONDS, 2)
    assert agreed_deal(output, first, "p") == first
    assert agreed_deal(output, deal_jobs(OTHER_SECONDS, 2), "p") == first
    assert not [path for path in output.root.iterdir() if path.name.startswith(".tmp")]


@pytest.mark.parametrize(
    ("seconds", "count", "plan"),
    [(SECONDS, 3, "p"), (SECONDS, 2, "q"), ({"a": 5.0, "b": 4.0}, 2, "p"), ({**SECONDS, "d": 1.0}, 2, "p")],
)
def test_a_division_of_something_else_is_replaced(output, seconds, count, plan):
    agreed_deal(output, deal_jobs(SECONDS, 2), "p")
    deal = deal_jobs(seconds, count)
    assert agreed_deal(output, deal, plan) == deal
    assert read_deal(output, deal, plan) == deal


@pytest.mark.parametrize("damage", [b"", b"{", b"\0\xff", b'{"plan": 3}', b"[]"])
def test_a_damaged_file_is_replaced(output, damage):
    output.shards.write_bytes(damage)
    deal = deal_jobs(SECONDS, 2)
    assert read_deal(output, deal, "p") is None
    assert agreed_deal(output, deal, "p") == deal
    assert json.loads(output.shards.read_text())["count"] == 2


def test_a_shard_that_does_not_exist_is_damage(output):
    deal = deal_jobs(SECONDS, 2)
    agreed_deal(output, deal, "p")
    output.shards.write_text(output.shards.read_text().replace('"shard": 2', '"shard": 3'))
    assert read_deal(output, deal, "p") is None


def test_a_saved_division_is_what_shards_go_by_and_never_changes_under_them(output):
    saved = deal_jobs(OTHER_SECONDS, 2)
    save_deal(output, saved, "p")
    with lock_output(output.root, "shard-1-of-2"):
        assert agreed_deal(output, deal_jobs(SECONDS, 2), "p") == saved
        with pytest.raises(OutputError, match="in use"):
            save_deal(output, saved, "p")


def test_a_shard_that_runs_some_of_its_jobs_again_keeps_the_saved_division(output):
    jobs = [job_spec(name) for name in "abc"]
    saved = Deal(2, dict(OTHER_SECONDS), {"a": 1, "b": 2, "c": 2})
    save_deal(output, saved, plan_fingerprint(jobs, {}))
    before = output.shards.read_bytes()
    for index, of_shard in enumerate(({"a"}, {"b", "c"}), start=1):
        for only in ({"a"}, {"c"}, {"a", "b", "c"}):
            shard = parse_shard(f"{index}/2", {})
            assert jobs_of_shard(shard, jobs, only, SECONDS, {}, output) == of_shard & only
    assert output.shards.read_bytes() == before


def test_without_a_division_of_the_whole_spec_the_selected_jobs_are_divided(output):
    jobs = [job_spec(name) for name in "abc"]
    taken = [jobs_of_shard(parse_shard(f"{i}/2", {}), jobs, {"b", "c"}, SECONDS, {}, output) for i in (1, 2)]
    assert taken == [{"b"}, {"c"}]


def test_a_division_can_be_saved_before_anything_has_run(tmp_path):
    output, deal = OutputPaths(tmp_path / "new"), deal_jobs(SECONDS, 2)
    save_deal(output, deal, "p")
    assert read_deal(output, deal, "p") == deal


def test_the_plan_is_known_by_its_jobs_and_their_data_not_by_gates():
    job = job_spec("a")
    data = {"a": {"x.txt": "0"}}
    known = plan_fingerprint([job], data)
    assert plan_fingerprint([job_spec("a", gate=GateSpec(min_sequence_accuracy=0.5))], data) == known
    assert plan_fingerprint([job], {"a": {"x.txt": "1"}}) != known
    assert plan_fingerprint([job_spec("a", training=TrainingSpec(epochs=2))], data) != known
