import pytest

from job.batch.shard import MAX_SHARDS, WHOLE, Shard, parse_shard, shard_from_environment
from job.errors import BAD_USAGE, ShardError


def slurm(task, lowest, count, **more):
    values = {"ID": task, "MIN": lowest, "COUNT": count, **more}
    return {f"SLURM_ARRAY_TASK_{end}": str(value) for end, value in values.items()}


def kubernetes(index, completions):
    return {"JOB_COMPLETION_INDEX": index, "JOB_COMPLETIONS": completions}


GITLAB = {"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "4"}
CIRCLECI_ALONE = {"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "1"}


def test_how_a_shard_is_written():
    assert (str(Shard(2, 4)), Shard(2, 4).label) == ("2/4", "2-of-4")
    assert WHOLE.label == ""


# --- given --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "shard"), [("1/1", WHOLE), ("1/4", Shard(1, 4)), ("04/10", Shard(4, 10))])
def test_a_shard_that_is_given_holds_whatever_the_environment_says(text, shard):
    assert parse_shard(text, {**GITLAB, **slurm(9, 1, 3)}) == shard


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0/4",
        "5/4",
        "1/0",
        "-1/4",
        "1/4/2",
        " 1/4",
        "1 / 4",
        "a/b",
        "²/4",
        f"1/{MAX_SHARDS + 1}",
        "Auto",
    ],
)
def test_what_is_no_shard_is_a_usage_error(text):
    with pytest.raises(ShardError, match=r"^--shard .*expected ") as caught:
        parse_shard(text, {})
    assert caught.value.exit_code == BAD_USAGE


# --- found --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        pytest.param(kubernetes("0", "4"), Shard(1, 4), id="kubernetes-first"),
        pytest.param(kubernetes("3", "4"), Shard(4, 4), id="kubernetes-last"),
        pytest.param(kubernetes("0", "1"), WHOLE, id="kubernetes-one"),
        pytest.param(slurm(1, 1, 4, MAX=4, STEP=1), Shard(1, 4), id="slurm-from-1"),
        pytest.param(slurm(3, 0, 4, MAX=3, STEP=1), Shard(4, 4), id="slurm-from-0"),
        pytest.param(slurm(12, 10, 3, MAX=12, STEP=1), Shard(3, 3), id="slurm-from-10"),
        pytest.param(slurm(4, 0, 4, MAX=6, STEP=2), Shard(3, 4), id="slurm-step"),
        pytest.param(slurm(1, 1, 1, MAX=1, STEP=1), WHOLE, id="slurm-one"),
        pytest.param(slurm(0, 0, 1, MAX=0, STEP=1), WHOLE, id="slurm-one-from-0"),
        pytest.param(slurm(2, 1, 2), Shard(2, 2), id="slurm-without-step-and-max"),
        pytest.param(GITLAB, Shard(2, 4), id="gitlab"),
        pytest.param({"CI_NODE_TOTAL": "1"}, WHOLE, id="gitlab-not-parallel"),
        pytest.param({"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "3"}, Shard(1, 3), id="circleci"),
        pytest.param(CIRCLECI_ALONE, WHOLE, id="circleci-one"),
        pytest.param(
            {"BUILDKITE_PARALLEL_JOB": "1", "BUILDKITE_PARALLEL_JOB_COUNT": "2"}, Shard(2, 2), id="buildkite"
        ),
        pytest.param({**GITLAB, "JOB_COMPLETIONS": ""}, Shard(2, 4), id="empty-is-unset"),
        pytest.param({**GITLAB, **kubernetes("1", "4")}, Shard(2, 4), id="two-that-agree"),
        pytest.param({"CI_NODE_TOTAL": "1", **slurm(2, 1, 3)}, Shard(2, 3), id="ci-submits-an-array"),
        pytest.param({**CIRCLECI_ALONE, **GITLAB}, Shard(2, 4), id="one-that-does-not-split"),
    ],
)
def test_what_systems_set(environment, shard):
    assert parse_shard("auto", {"HOME": "/root", **environment}) == shard


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        pytest.param({}, "none of the variables of Kubernetes, Slurm, ", id="nothing"),
        pytest.param({"SLURM_JOB_ID": "7"}, "none of the variables", id="slurm-without-array"),
        pytest.param(
            {"JOB_COMPLETION_INDEX": "1"}, "JOB_COMPLETIONS is not set; .*manifest", id="kubernetes-half"
        ),
        pytest.param(
            {"JOB_COMPLETIONS": "4"}, "JOB_COMPLETION_INDEX is not set; .*Indexed", id="kubernetes-plain"
        ),
        pytest.param({"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_MIN is not set", id="slurm-half"),
        pytest.param({"CI_NODE_TOTAL": "4"}, "CI_NODE_INDEX is not set; .*`parallel`", id="gitlab-half"),
        pytest.param({"CI_NODE_INDEX": "1"}, "CI_NODE_TOTAL is not set", id="gitlab-other-half"),
        pytest.param({"CIRCLE_NODE_TOTAL": "2"}, "CIRCLE_NODE_INDEX is not set", id="circleci-half"),
        pytest.param(
            {"BUILDKITE_PARALLEL_JOB": "0"}, "BUILDKITE_PARALLEL_JOB_COUNT is not set", id="buildkite"
        ),
        pytest.param(kubernetes("4", "4"), "expected a shard from 1 to 4, found 5", id="kubernetes-beyond"),
        pytest.param(kubernetes("0", "0"), "expected 1 to", id="kubernetes-none"),
        pytest.param(kubernetes("x", "4"), "number in JOB_COMPLETION_INDEX, found 'x'", id="no-number"),
        pytest.param(kubernetes("-1", "4"), "found '-1'", id="negative"),
        pytest.param({**GITLAB, "CI_NODE_INDEX": "0"}, "from 1 to 4, found 0", id="gitlab-counts-from-1"),
        pytest.param(slurm(1, 2, 2), "from 1 to 2, found 0", id="slurm-below"),
        pytest.param(slurm(1, 0, 2, STEP=2), "without gaps", id="slurm-between-steps"),
        pytest.param(slurm(3, 1, 3, MAX=4, STEP=1), "without gaps", id="slurm-list"),
        pytest.param(slurm(0, 0, 2, STEP=0), "without gaps", id="slurm-step-0"),
        pytest.param(slurm(2, 2, 1, MAX=2, STEP=1), "a single task", id="slurm-one-of-several-alone"),
        pytest.param(
            {**GITLAB, **slurm(1, 1, 4)},
            "Slurm says 1/4 and GitLab says 2/4; .*--shard I/N",
            id="two-disagree",
        ),
        pytest.param(
            {**GITLAB, "JOB_COMPLETIONS": "4"}, "JOB_COMPLETION_INDEX is not set", id="whole-and-half"
        ),
    ],
)
def test_an_environment_that_makes_no_sense_is_a_usage_error(environment, sentence):
    with pytest.raises(ShardError, match=rf"^--shard auto: .*{sentence}") as caught:
        shard_from_environment(environment)
    assert caught.value.exit_code == BAD_USAGE
