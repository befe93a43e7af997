import keras

import job
from job.process import environment


def test_a_result_says_what_produced_it():
    record = environment.describe(["a device"], "c0ffee", True)
    assert set(record) == {
        "versions",
        "platform",
        "processor",
        "cores",
        "devices",
        "git_commit",
        "git_dirty",
    }
    assert record["devices"] == ["a device"]
    assert (record["git_commit"], record["git_dirty"]) == ("c0ffee", True)
    assert record["versions"]["seq2seq-job"] == job.__version__
    assert record["versions"]["keras"] == keras.__version__
    assert {"python", "tensorflow", "numpy"} <= set(record["versions"])
    assert all(record["versions"].values())
