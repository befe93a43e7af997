import json
from dataclasses import replace

import pytest
from sample_jobs import job_result

from job.batch import heartbeat
from job.batch.heartbeat import HEARTBEAT_SECONDS, read_heartbeat
from job.batch.heartbeat_writer import Heartbeats
from job.batch.other_work import other_work
from job.results.job_files import list_files
from job.results.job_result import Progress
from job.storage.artifacts import OutputPaths, prepare_output
from job.storage.job_directories import adopt


def step(number):
    return Progress(step=number, steps=100, loss=0.5, token_accuracy=None, examples_per_second=10.0)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_heartbeat_tells_how_far_the_job_is(clock, make_task, output):
    task, beats = make_task("fine"), Heartbeats(replace(output, shard="2-of-4"))
    beats.start(task)
    first = read_heartbeat(task.paths)
    assert (first.step, first.steps, first.eta_seconds, first.shard) == (0, 0, None, "2-of-4")
    for clock[0], number in ((101.0, 10), (103.0, 18), (104.0, 22), (106.0, 30)):
        beats.advance("fine", step(number))
    assert beats.beat()
    found = read_heartbeat(task.paths)
    assert (found.step, found.steps, found.steps_per_second) == (30, 100, 4.0)
    assert found.eta_seconds == round(17.5 + other_work(task.job).evaluation / 4, 1) > 17.5
    assert found.count > first.count
    assert (found.fingerprint, found.attempt) == (task.fingerprint, 1)
    beats.stop("fine")
    assert [*task.paths.directory.iterdir()] == []


def train(beats, clock, name, seconds=10.0):
    """Report a training of ten seconds that begins now, up to its last step."""
    began = clock[0]
    for number in range(10, 101, 10):
        clock[0] = began + seconds * number / 100
        beats.advance(name, step(number))


def test_the_time_left_of_an_evaluation_counts_down_and_is_unknown_once_it_is_over(clock, make_task, output):
    task, beats = make_task("fine"), Heartbeats(output)
    expected = other_work(task.job).evaluation / 10
    beats.start(task)
    train(beats, clock, "fine")
    beats.beat()
    found = read_heartbeat(task.paths)
    assert (found.eta_seconds, found.evaluating_seconds) == (pytest.approx(expected, abs=0.1), 0.0)
    assert 0.5 < found.done < 1
    clock[0] += expected / 2
    beats.beat()
    found = read_heartbeat(task.paths)
    assert found.eta_seconds == pytest.approx(expected / 2, abs=0.1)
    assert found.evaluating_seconds == pytest.approx(expected / 2, abs=0.1)
    clock[0] += expected
    beats.beat()
    assert read_heartbeat(task.paths).eta_seconds is None


def test_what_is_decoded_tells_how_long_an_evaluation_takes(clock, make_task, output):
    beats = Heartbeats(output)
    trained, again = make_task("trained"), replace(make_task("again"), trained=job_result("again"))
    beats.start(trained)
    beats.start(again)
    train(beats, clock, "trained")
    clock[0] += 1.0  # the model is saved
    for share in (0.0, 0.25):
        beats.decoded("trained", share)
        beats.decoded("again", share / 2)
        clock[0] += 3.0
    beats.beat()
    scoring = other_work(trained.job).scoring
    assert read_heartbeat(trained.paths).eta_seconds == pytest.approx(9.0 + scoring - 3.0, abs=0.1)
    assert read_heartbeat(again.paths).eta_seconds == pytest.approx(21.0 + scoring - 3.0, abs=0.1)
    assert read_heartbeat(trained.paths).evaluating_seconds == pytest.approx(7.0)
    beats.decoded("trained", 1.0)
    clock[0] += 3.0 + scoring
    beats.beat()
    assert read_heartbeat(trained.paths).eta_seconds is None


def test_the_evaluations_of_other_jobs_correct_what_is_expected_of_one(clock, make_task, output):
    """All evaluations take four times as long as expected; from the second job on, that is known."""
    beats, ratios = Heartbeats(output), {}
    for name in ("first", "second", "third"):
        task = make_task(name)
        evaluation = 4 * other_work(task.job).evaluation / 10
        beats.start(task)
        train(beats, clock, name)
        ended = clock[0] + evaluation
        while (left := ended - clock[0]) > evaluation / 10:
            beats.beat()
            if (told := read_heartbeat(task.paths).eta_seconds) is not None:
                ratios.setdefault(name, []).append(told / left)
            clock[0] += evaluation / 8
        clock[0] = ended
        beats.finish(name)
    assert min(ratios["first"]) < 1 / 1.5
    for name in ("second", "third"):
        assert len(ratios[name]) >= 7
        assert 1 / 1.5 < min(ratios[name]) <= max(ratios[name]) < 1.5


def test_an_earlier_run_of_the_job_tells_how_long_its_evaluation_takes(clock, make_task, output):
    task, beats = make_task("fine"), Heartbeats(output, {"fine": 3.0, "other": 1.0, "others": 1.0})
    beats.start(task)
    train(beats, clock, "fine")
    beats.beat()
    assert read_heartbeat(task.paths).eta_seconds == pytest.approx(
        3 * other_work(task.job).evaluation / 10, abs=0.1
    )


def test_heartbeats_are_written_now_and_then(clock, make_task, output):
    task, beats = make_task("fine"), Heartbeats(output)
    beats.start(task)
    written = []
    for _ in range(10):
        clock[0] += HEARTBEAT_SECONDS / 2
        written.append(beats.beat())
    assert written == [True, False] * 5
    assert read_heartbeat(task.paths).count == 6


def test_where_nothing_can_be_written_the_job_goes_on(make_task, output):
    task, beats = make_task("fine"), Heartbeats(output)
    task.paths.directory.rmdir()
    beats.start(task)
    beats.stop("fine")
    assert read_heartbeat(task.paths) is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b"\xff\0", b'{"host": 1}', "other time", "half"],
)
def test_a_damaged_heartbeat_is_none(make_task, output, damage):
    task, beats = make_task("fine"), Heartbeats(output)
    beats.start(task)
    whole = task.paths.progress.read_bytes()
    if damage == "half":
        damage = whole[: len(whole) // 2]
    elif damage == "other time":
        damage = json.dumps({**json.loads(whole), "heartbeat": "yesterday"}).encode()
    task.paths.progress.write_bytes(damage)
    assert read_heartbeat(task.paths) is None


def test_a_heartbeat_is_no_part_of_a_result(make_task, output, tmp_path):
    task, beats = make_task("fine"), Heartbeats(output)
    task.paths.history.write_text("step\n")
    beats.start(task)
    assert [file.path for file in list_files(task.paths.directory)] == ["history.csv"]
    other = prepare_output(tmp_path / "other")
    adopt(output, other, "fine")
    assert not other.job("fine").progress.exists()
    assert OutputPaths(tmp_path / "other").job("fine").history.exists()


def test_the_machine_is_told_where_the_system_does(monkeypatch):
    heartbeat.this_machine.cache_clear()
    assert heartbeat.this_machine() == heartbeat.this_machine()
    heartbeat.this_machine.cache_clear()
    monkeypatch.setattr("os.readlink", lambda path: (_ for _ in ()).throw(OSError))
    assert heartbeat.this_machine() == ""
    heartbeat.this_machine.cache_clear()


def test_a_model_that_is_evaluated_again_has_all_its_steps(make_task, output):
    """In a temporary directory, while the job's own still holds its earlier result."""
    task = make_task("fine")
    temporary = replace(task.paths, directory=output.jobs / ".tmp-1-fine")
    trained = job_result("fine", history={"step": [5, 10]})
    Heartbeats(output).start(replace(task, paths=temporary, trained=trained))
    found = read_heartbeat(task.paths)
    assert (found.step, found.steps, found.eta_seconds) == (10, 10, None)


def test_another_evaluation_takes_as_long_as_the_earlier_one_in_relation_to_its_examples(
    clock, make_task, output
):
    task = make_task("fine")
    spec = task.job.model_dump(mode="json")
    twice = {**spec["evaluation"], "examples": 2 * task.job.evaluation.examples}
    twice["validation_examples"] = 2 * task.job.evaluation.validation_examples
    timings = {"evaluate_seconds": 40.0, "total_seconds": 100.0}
    trained = job_result("fine", spec={**spec, "evaluation": twice}, timings=timings)
    beats = Heartbeats(output)
    beats.start(replace(task, trained=trained))
    assert (read_heartbeat(task.paths).eta_seconds, read_heartbeat(task.paths).done) == (20.0, 0.8)
    clock[0] += 15
    beats.beat()
    found = read_heartbeat(task.paths)
    assert (found.eta_seconds, found.evaluating_seconds) == (5.0, 15.0)
