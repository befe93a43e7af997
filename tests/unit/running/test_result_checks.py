import math

import numpy as np
import pytest
from sample_jobs import trained_job

from job.errors import ResultError
from job.results.data_facts import DataFacts
from job.running.result_checks import check_contexts, check_trained


def test_a_context_that_is_not_finite_fails_the_job():
    with pytest.raises(ResultError, match=r"^the context vector of a test source is not finite: lower"):
        check_contexts({"h1": np.array([[0.0, 1.0]]), "c1": np.array([[math.inf, 1.0]])})


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        ({"noise": math.nan}, "data.noise is not a finite number after training: the problem's describe() "),
        ({"noise": object()}, "the result cannot be written as JSON: "),
        ({"noise": np.float32(1)}, "the result cannot be written as JSON: "),
    ],
)
def test_a_description_that_is_not_json_fails_the_job(described, sentence):
    job = trained_job(
        "own",
        spec={"problem": {"kind": "plugin"}},
        metrics={"sequence_accuracy": 1.0},
        data=DataFacts(problem=described),
    )
    with pytest.raises(ResultError) as caught:
        check_trained(job)
    assert str(caught.value).startswith(sentence)
