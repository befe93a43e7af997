import random
from dataclasses import replace

import pytest
from sample_jobs import job_result, job_spec
from timelines import TimedJob, simulate

from job.batch.eta import BatchEta, makespan
from job.batch.other_work import OtherWork, other_work
from job.results.job_result import Progress


def step(number, of=100, **fields):
    return Progress(step=number, steps=of, loss=1.0, token_accuracy=0.5, examples_per_second=1.0, **fields)


def advance(eta, name, *reports):
    for progress, now in reports:
        eta.advance(name, progress, now)


@pytest.fixture
def eta():
    return BatchEta(4, began_at=1000.0)


def test_jobs_wait_run_and_are_done(eta):
    eta.reuse("old")
    eta.start("a", 1000.0)
    eta.start("b", 1000.0)
    assert (eta.done, eta.running, eta.waiting) == (1, ("a", "b"), 1)
    eta.finish(job_result("a"), 1001.0)
    eta.finish(job_result("b", "failed"), 1001.0)
    assert (eta.done, eta.failed, eta.running, eta.waiting) == (3, 1, (), 1)


def test_a_job_whose_worker_was_lost_waits_again(eta):
    eta.start("a", 1000.0)
    eta.requeue("a")
    assert (eta.running, eta.waiting) == ((), 4)
    eta.finish(job_result("a", "failed"), 1001.0)  # while it waited
    assert (eta.done, eta.waiting) == (1, 3)


def test_an_interrupted_job_is_not_done(eta):
    eta.start("a", 1000.0)
    eta.finish(job_result("a", "interrupted"), 1001.0)
    assert (eta.done, eta.failed, eta.running) == (0, 0, ())


# --- one job ------------------------------------------------------------------------------------------------


def test_a_job_takes_as_long_as_its_pace_says(eta):
    eta.start("a", 1000.0)
    assert eta.last_progress("a") is None
    assert eta.job_seconds_left("a", 1000.0) is None
    advance(eta, "a", (step(10), 1010.0), (step(20), 1015.0), (step(30), 1020.0))
    assert eta.job_seconds_left("a", 1020.0) is None  # three reports give no pace to rely on
    eta.advance("a", step(40), 1025.0)
    assert eta.last_progress("a") == step(40)
    assert eta.job_seconds_left("a", 1025.0) == pytest.approx(30.0)
    assert eta.job_seconds_left("a", 1035.0) == pytest.approx(20.0)  # it counts down without reports
    assert eta.job_seconds_left("a", 2000.0) == 0


def test_no_time_is_told_from_the_first_moments(eta):
    eta.start("a", 1000.0)
    for number in range(30):
        eta.advance("a", step(number), 1000.0 + number / 10)
        assert eta.job_seconds_left("a", 1000.0 + number / 10) is None
        assert eta.seconds_left(1000.0 + number / 10) is None
    eta.advance("a", step(40), 1004.0)
    assert eta.job_seconds_left("a", 1004.0) == pytest.approx(6.0)


def test_steps_beside_which_something_is_compiled_do_not_count(eta):
    eta.start("a", 1000.0)
    slow = [(step(n, settled=False), 1000.0 + 2 * n) for n in range(5)]
    fast = [(step(5 + n), 1010.0 + n) for n in range(5)]
    advance(eta, "a", *slow)
    assert eta.job_seconds_left("a", 1008.0) is None
    advance(eta, "a", *fast)
    assert eta.job_seconds_left("a", 1014.0) == pytest.approx(91.0)


def test_steps_of_an_earlier_run_do_not_count_in_the_speed(eta):
    eta.start("a", 1000.0)
    advance(eta, "a", *((step(number), at) for number, at in ((90, 1000.0), (92, 1020.0), (93, 1030.0))))
    eta.advance("a", step(95), 1050.0)
    assert eta.job_seconds_left("a", 1050.0) == pytest.approx(50.0)


def test_the_end_of_each_epoch_and_the_evaluation_count(eta):
    eta.start("a", 1000.0, OtherWork(epoch_end=7.0, evaluation=4.0))
    advance(eta, "a", *((step(n, 30, epoch=0, epochs=3), 1000.0 + n) for n in (1, 3, 5, 7, 10)))
    assert eta.job_seconds_left("a", 1010.0) is None  # what an epoch's end takes will soon be known
    advance(eta, "a", (step(11, 30, epoch=1, epochs=3), 1016.0), (step(12, 30, epoch=1, epochs=3), 1017.0))
    # 18 steps of a second, two ends of epochs of 5 s, and the evaluation of 4 s
    assert eta.job_seconds_left("a", 1017.0) == pytest.approx(32.0)


def test_a_long_epoch_is_not_waited_for(eta):
    eta.start("a", 1000.0, OtherWork(epoch_end=7.0, evaluation=4.0))
    advance(eta, "a", *((step(n, 300, epoch=0, epochs=3), 1000.0 + n) for n in range(1, 62)))
    assert eta.job_seconds_left("a", 1061.0) == pytest.approx(239 + 3 * 7 + 4)


def test_what_is_decoded_tells_how_long_an_evaluation_takes():
    eta = BatchEta(1, began_at=1000.0)
    eta.start("a", 1000.0, OtherWork(evaluation=20.0, scoring=2.0))
    advance(eta, "a", *((step(number), 1000.0 + number) for number in range(20, 101, 20)))
    assert eta.job_seconds_left("a", 1100.0) is None
    eta.decoded("a", 0.0, 1101.0)
    eta.decoded("a", 0.25, 1111.0)
    assert eta.job_seconds_left("a", 1121.0) == pytest.approx(30.0 + 2.0 - 10.0)
    assert eta.seconds_left(1121.0) == pytest.approx(22.0)
    eta.decoded("unknown", 0.5, 1121.0)
    eta.requeue("a")
    eta.start("a", 1130.0)
    assert eta.job_seconds_left("a", 1131.0) is None


def test_no_time_is_told_of_a_job_that_is_evaluated(eta):
    eta.start("a", 1000.0, OtherWork(evaluation=20.0))
    advance(eta, "a", *((step(10 * n), 1000.0 + n) for n in range(1, 11)))
    assert eta.job_seconds_left("a", 1010.0) is None
    alone = BatchEta(1, 1000.0, {"a": 10.0})
    alone.start("a", 1000.0, OtherWork(evaluation=20.0))
    advance(alone, "a", *((step(10 * n), 1000.0 + n) for n in range(1, 11)))
    assert alone.seconds_left(1010.5) == pytest.approx(1.5)


def test_other_work_grows_with_the_examples_that_are_decoded():
    def work(**evaluation):
        training = {"batch_size": 100, "examples": 1000}
        return other_work(job_spec("j", training=training, evaluation=evaluation))

    few, many = work(examples=1000), work(examples=10_000)
    assert many.evaluation > 3 * few.evaluation > 0
    assert many.epoch_end == few.epoch_end > 0
    assert work(examples=1000, decoder="beam", beam_width=4).evaluation == 2.5 * few.evaluation
    assert work(examples=1000, validation_examples=2000).epoch_end == 2 * few.epoch_end
    assert other_work(None) == OtherWork()


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(TimedJob(name="j"), id="slow while it compiles"),
        pytest.param(TimedJob(name="j", epoch_end=5.0), id="validation as long as an epoch"),
        pytest.param(TimedJob(name="j", epochs=400, epoch_steps=4, epoch_end=0.3), id="tiny epochs"),
        pytest.param(TimedJob(name="j", epochs=1, epoch_steps=4000), id="one epoch"),
        pytest.param(TimedJob(name="j", epochs=3, epoch_steps=3000, epoch_end=20.0), id="long epochs"),
        pytest.param(
            TimedJob(name="j", epochs=1, step_seconds=3.0, other=OtherWork(evaluation=1.0)), id="slow steps"
        ),
    ],
)
def test_the_time_left_of_a_job_is_within_a_factor_of_one_and_a_half(job):
    found = simulate([job])
    ratios = found.ratios("j", ignored=0.1)
    assert len(ratios) > 0.4 * job.seconds
    assert 1 / 1.5 < min(ratios) <= max(ratios) < 1.5


# --- a batch ------------------------------------------------------------------------------------------------


def test_a_batch_takes_as_long_as_its_jobs_did_so_far(eta):
    assert eta.seconds_left(1010.0) is None
    eta.reuse("old")
    assert eta.seconds_left(1010.0) is None  # it took no time here
    eta.start("a", 1000.0)
    advance(eta, "a", *((step(n), 1000.0 + n) for n in (0, 10, 25, 50)))
    # half a job is left of 100 s and those before the first step, and two jobs that wait
    assert eta.seconds_left(1050.0) == pytest.approx(50 + 2 * 102)
    eta.finish(job_result("a", timings={"total_seconds": 110.0}), 1110.0)
    eta.start("b", 1110.0)
    # b, of which nothing is known yet, and one that waits are left
    assert eta.seconds_left(1130.0) == pytest.approx(200.0)
    advance(eta, "b", *((step(n), 1130.0 + n) for n in (0, 10, 25, 50)))
    eta.finish(job_result("b", timings={"total_seconds": 110.0}), 1220.0)
    eta.start("c", 1220.0)
    eta.finish(job_result("c"), 1300.0)
    assert eta.seconds_left(1300.0) == 0


def test_jobs_count_by_their_estimated_seconds():
    eta = BatchEta(3, 0.0, {"small": 8.0, "large": 16.0, "huge": 32.0})
    eta.start("small", 0.0)
    eta.advance("small", step(1), 1.0)
    eta.finish(job_result("small", timings={"total_seconds": 16.0}), 16.0)
    eta.start("large", 16.0)
    assert eta.seconds_left(26.0) == pytest.approx(22.0 + 64.0)


def test_nothing_is_concluded_from_a_job_that_is_much_smaller():
    eta = BatchEta(2, 0.0, {"tiny": 2.0, "huge": 2000.0})
    eta.start("tiny", 0.0)
    eta.advance("tiny", step(1), 1.0)
    eta.finish(job_result("tiny", timings={"total_seconds": 3.0}), 3.0)
    assert eta.seconds_left(3.0) is None


def test_jobs_take_after_those_of_their_size():
    """On a GPU small jobs take as long as on a CPU, for they hardly compute, and large ones do not."""
    eta = BatchEta(4, 0.0, {"small": 10.0, "large": 1000.0, "small-2": 10.0, "large-2": 1000.0})
    for name, seconds in (("small", 10.0), ("large", 100.0)):
        eta.start(name, 0.0)
        eta.advance(name, step(1), 1.0)
        eta.finish(job_result(name, timings={"total_seconds": seconds}), seconds)
    assert eta.seconds_left(110.0) == pytest.approx(110.0, rel=0.15)


def test_a_job_that_failed_at_once_does_not_count_in_the_speed():
    eta = BatchEta(3, 0.0)
    eta.start("a", 0.0)
    eta.finish(job_result("a", "failed"), 1.0)
    assert eta.seconds_left(1.0) is None
    eta.start("b", 1.0)
    eta.advance("b", step(1), 2.0)
    eta.finish(job_result("b"), 11.0)
    assert eta.seconds_left(11.0) == pytest.approx(10.0)


def test_waiting_jobs_are_begun_where_others_end():
    assert makespan([10.0, 50.0], [20.0, 20.0, 20.0]) == 70.0
    assert makespan([10.0, 80.0], [20.0]) == 80.0


def test_other_nodes_that_finish_jobs_shorten_the_rest():
    def left(elsewhere):
        eta = BatchEta(6, 0.0, {str(i): 10.0 for i in range(6)})
        eta.start("0", 0.0)
        eta.advance("0", step(1), 1.0)
        eta.finish(job_result("0", timings={"total_seconds": 10.0}), 10.0)
        for name in elsewhere:
            eta.finish(job_result(name), 10.0)
        return eta.seconds_left(10.0)

    assert left([]) == pytest.approx(50.0)
    assert left(["1"]) == pytest.approx(20.0)  # four jobs by two nodes


def random_batch(seed, jobs):
    """Return jobs of 5 to 300 s, whose estimates are half as high, and off by up to 30 % among each other."""
    chance, batch = random.Random(seed), []
    for number in range(jobs):
        seconds, epochs = chance.uniform(5, 300), chance.choice([1, 3, 10])
        end, evaluation, step_seconds = 0.02 * seconds / epochs, 0.1 * seconds, 0.88 * seconds / epochs / 200
        expected = OtherWork(epoch_end=0.7 * end / step_seconds, evaluation=1.3 * evaluation / step_seconds)
        job = TimedJob(
            name=f"j{number}",
            epochs=epochs,
            epoch_steps=200,
            step_seconds=step_seconds,
            start=chance.uniform(1, 4),
            epoch_end=end,
            evaluation=evaluation,
            other=expected,
        )
        batch.append(replace(job, cost=job.seconds / 2 * chance.uniform(0.7, 1.3)))
    return batch


@pytest.mark.parametrize(("jobs", "workers"), [(4, 1), (8, 2), (40, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_the_time_left_of_a_batch_is_within_a_factor_of_one_and_a_half(jobs, workers, seed):
    found = simulate(random_batch(seed, jobs), workers)
    ratios = found.ratios()
    assert found.first() < 0.2
    assert 1 / 1.5 < min(ratios) <= max(ratios) < 1.5


def test_a_nodes_running_job_counts_beside_what_others_have_finished():
    eta = BatchEta(4, 1000.0, {"long": 100.0, "a": 50.0, "b": 50.0, "c": 50.0})
    eta.start("long", 1000.0)
    advance(eta, "long", *((step(10 * i), 1000.0 + 10 * i) for i in range(6)))
    alone = eta.seconds_left(1050.0)
    eta.finish(job_result("a"), 1050.0)
    eta.elsewhere = 1
    assert (eta.done, eta.waiting) == (1, 1)
    assert eta.seconds_left(1050.0) < alone - 75  # two jobs are left, each half as long
