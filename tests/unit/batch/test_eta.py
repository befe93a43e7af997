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
    eta.reuse()
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
    assert eta.job_seconds_left("a") is None  # one point gives no pace
    eta.advance("a", step(30), 1020.0)
    assert eta.last_progress("a") == step(30)
    assert eta.job_seconds_left("a") == pytest.approx(35.0)
    eta.advance("a", step(100), 1060.0)
    assert eta.job_seconds_left("a") == 0


def test_what_was_taken_before_a_checkpoint_says_nothing_of_the_pace(eta):
    eta.start("a")
    eta.advance("a", step(90), 1000.0)
    eta.advance("a", step(95), 1050.0)
    assert eta.job_seconds_left("a") == pytest.approx(50.0)


def test_a_batch_takes_as_long_as_its_jobs_did_so_far(eta):
    assert eta.seconds_left(1010.0) is None
    eta.reuse()
    assert eta.seconds_left(1010.0) is None  # it took no time here
    eta.start("a")
    eta.advance("a", step(0), 1000.0)
    eta.advance("a", step(50), 1060.0)
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
