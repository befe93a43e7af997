import pytest

from job.errors import FAILED, DeviceError
from job.running.machine import check_device


@pytest.mark.parametrize(("asked", "gpu"), [("auto", False), ("auto", True), ("gpu", True)])
def test_a_job_gets_a_gpu_where_there_is_one_and_does_without_unless_it_asks(asked, gpu):
    check_device(asked, gpu=gpu, cuda=True)


@pytest.mark.parametrize(
    ("cuda", "reason", "remedy"),
    [(True, "TensorFlow sees none here", "--gpus all"), (False, "built without CUDA", "make image-gpu")],
)
def test_without_a_gpu_a_job_that_asks_for_one_fails_and_says_what_to_do(cuda, reason, remedy):
    with pytest.raises(DeviceError) as raised:
        check_device("gpu", gpu=False, cuda=cuda)
    assert raised.value.exit_code == FAILED
    assert str(raised.value).startswith("device is gpu, but ")
    assert reason in str(raised.value)
    assert remedy in str(raised.value)
