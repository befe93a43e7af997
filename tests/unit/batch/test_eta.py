import pytest
from sample_jobs import job_result

from job.batch.eta import Course
from job.results.records import Progress


def step(number, of=100):
    return Progress(step=number, steps=of, loss=1.0, token_accuracy=0.5, examples_per_second=1.0)


@pytest.fixture
def course():
    return Course(4, began_at=1000.0)


def test_jobs_wait_run_and_are_done(course):
    course.reuse()
    course.start("a")
    course.start("b")
    assert (course.done, course.running, course.waiting) == (1, ("a", "b"), 1)
    course.finish(job_result("a"))
    course.finish(job_result("b", "failed"))
    assert (course.done, course.failed, course.running, course.waiting) == (3, 1, (), 1)


def test_a_job_whose_worker_was_lost_waits_again(course):
    course.start("a")
    course.drop("a")
    assert (course.running, course.waiting) == ((), 4)
    course.finish(job_result("a", "failed"))  # while it waited
    assert (course.done, course.waiting) == (1, 3)


def test_an_interrupted_job_is_not_done(course):
    course.start("a")
    course.finish(job_result("a", "interrupted"))
    assert (course.done, course.failed, course.running) == (0, 0, ())


def test_a_job_takes_as_long_as_its_pace_says(course):
    course.start("a")
    assert course.last("a") is None
    assert course.job_seconds_left("a") is None
    course.advance("a", step(10), 1010.0)
    assert course.job_seconds_left("a") is None  # one point gives no pace
    course.advance("a", step(30), 1020.0)
    assert course.last("a") == step(30)
    assert course.job_seconds_left("a") == pytest.approx(35.0)
    course.advance("a", step(100), 1060.0)
    assert course.job_seconds_left("a") == 0


def test_what_was_taken_before_a_checkpoint_says_nothing_of_the_pace(course):
    course.start("a")
    course.advance("a", step(90), 1000.0)
    course.advance("a", step(95), 1050.0)
    assert course.job_seconds_left("a") == pytest.approx(50.0)


def test_a_batch_takes_as_long_as_its_jobs_did_so_far(course):
    assert course.seconds_left(1010.0) is None
    course.reuse()
    assert course.seconds_left(1010.0) is None  # it took no time here
    course.start("a")
    course.advance("a", step(0), 1000.0)
    course.advance("a", step(50), 1060.0)
    # half a job in 60 s; two and a half are left
    assert course.seconds_left(1060.0) == pytest.approx(300.0)
    course.finish(job_result("a"))
    course.start("b")
    # one job in 100 s; b, of which nothing is known yet, and one that waits are left
    assert course.seconds_left(1100.0) == pytest.approx(200.0)
    course.finish(job_result("b"))
    course.start("c")
    course.finish(job_result("c"))
    assert course.seconds_left(1300.0) == 0
