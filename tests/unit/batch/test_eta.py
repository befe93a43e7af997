import pytest
from sample_jobs import job_result

from job.batch.eta import BatchEta
from job.results.job_result import Progress


def step(number, of=100):
    return Progress(step=number, steps=of, loss=1.0, token_accuracy=0.5, examples_per_second=1.0)


@pytest.fixture
def eta():
    return BatchEta(4, began_at=1000.0)


def test_jobs_wait_run_and_are_done(eta):
    eta.reuse("old")
    eta.start("a")
    eta.start("b")
    assert (eta.done, eta.running, eta.waiting) == (1, ("a", "b"), 1)
    eta.finish(job_result("a"))
    eta.finish(job_result("b", "failed"))
    assert (eta.done, eta.failed, eta.running, eta.waiting) == (3, 1, (), 1)


def test_a_job_whose_worker_was_lost_waits_again(eta):
    eta.start("a")
    eta.requeue("a")
    assert (eta.running, eta.waiting) == ((), 4)
    eta.finish(job_result("a", "failed"))  # while it waited
    assert (eta.done, eta.waiting) == (1, 3)


def test_an_interrupted_job_is_not_done(eta):
    eta.start("a")
    eta.finish(job_result("a", "interrupted"))
    assert (eta.done, eta.failed, eta.running) == (0, 0, ())


def test_a_job_takes_as_long_as_its_pace_says(eta):
    eta.start("a")
    assert eta.last_progress("a") is None
    assert eta.job_seconds_left("a") is None
    eta.advance("a", step(10), 1010.0)
    eta.advance("a", step(20), 1015.0)
    assert eta.job_seconds_left("a") is None  # two reports give no pace to rely on
    eta.advance("a", step(30), 1020.0)
    assert eta.last_progress("a") == step(30)
    assert eta.job_seconds_left("a") == pytest.approx(35.0)
    eta.advance("a", step(100), 1060.0)
    assert eta.job_seconds_left("a") == 0


def test_no_time_is_told_from_the_first_moments(eta):
    eta.start("a")
    for number in range(1, 20):
        eta.advance("a", step(number), 1000.0 + number / 10)
        assert eta.job_seconds_left("a") is None
        assert eta.seconds_left(1000.0 + number / 10) is None
    eta.advance("a", step(40), 1004.0)
    assert eta.job_seconds_left("a") == pytest.approx(6.0)


def test_steps_before_a_checkpoint_do_not_count_in_the_speed(eta):
    eta.start("a")
    for number, at in ((90, 1000.0), (92, 1020.0), (95, 1050.0)):
        eta.advance("a", step(number), at)
    assert eta.job_seconds_left("a") == pytest.approx(50.0)


def test_a_batch_takes_as_long_as_its_jobs_did_so_far(eta):
    assert eta.seconds_left(1010.0) is None
    eta.reuse("old")
    assert eta.seconds_left(1010.0) is None  # it took no time here
    eta.start("a")
    for number, at in ((0, 1000.0), (25, 1030.0), (50, 1060.0)):
        eta.advance("a", step(number), at)
    # half a job in 60 s; two and a half are left
    assert eta.seconds_left(1060.0) == pytest.approx(300.0)
    eta.finish(job_result("a"))
    eta.start("b")
    # one job in 100 s; b, of which nothing is known yet, and one that waits are left
    assert eta.seconds_left(1100.0) == pytest.approx(200.0)
    eta.finish(job_result("b"))
    eta.start("c")
    eta.finish(job_result("c"))
    assert eta.seconds_left(1300.0) == 0


def test_jobs_count_by_their_estimated_seconds():
    eta = BatchEta(3, 0.0, {"small": 1.0, "large": 8.0, "huge": 21.0})
    eta.start("small")
    eta.finish(job_result("small"))
    eta.start("large")
    assert eta.seconds_left(2.0) == pytest.approx(58.0)


def test_a_job_that_failed_at_once_does_not_count_in_the_speed():
    eta = BatchEta(3, 0.0)
    eta.start("a")
    eta.finish(job_result("a", "failed"))
    assert eta.seconds_left(1.0) is None
    eta.start("b")
    eta.finish(job_result("b"))
    assert eta.seconds_left(10.0) == pytest.approx(10.0)


def test_no_job_ends_after_its_batch():
    eta = BatchEta(2, 0.0, {"a": 1.0, "b": 1.0})
    eta.start("a")
    eta.start("b")
    for number, at in ((0, 0.0), (1, 5.0), (10, 10.0)):
        eta.advance("b", step(number), at)
    eta.finish(job_result("a"))
    assert eta.seconds_left(10.0) == eta.job_seconds_left("b") == pytest.approx(90.0)
