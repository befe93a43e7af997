import io
import json

import pytest
from rich.console import Console
from sample_jobs import job_result, job_spec

from job.batch.plan_table import print_plan
from job.batch.planning import make_plan, write_plan
from job.gating.plan_file import read_entries
from job.models.parameter_count import count_parameters
from job.problems import build_problem
from job.spec.fingerprints import Fingerprints, fingerprints_of
from job.spec.model_section import ModelSpec
from job.spec.schema import Spec
from job.spec.training_section import TrainingSpec
from job.storage.artifacts import OutputPaths


@pytest.fixture
def spec(tmp_path):
    jobs = (
        job_spec("second"),
        job_spec("first", model=ModelSpec(units=9, layers=2), training=TrainingSpec(examples=1280, epochs=3)),
    )
    return Spec(path=tmp_path / "jobs.yaml", jobs=jobs)


OTHER = Fingerprints(training="0" * 64, evaluation="0" * 64)


def leave(output, name, status, marks, spec=None):
    paths = output.job(name)
    paths.directory.mkdir(parents=True)
    recorded = {"fingerprint": marks.evaluation, "training_fingerprint": marks.training, "spec": spec or {}}
    result = job_result(name, status, **recorded)
    paths.result.write_text(result.to_json())


def states(spec, output):
    return {planned.job.name: planned.state for planned in make_plan(spec, output)}


def test_a_plan_holds_every_job_in_the_specs_order(spec, output):
    plan = make_plan(spec, output)
    assert [planned.job for planned in plan] == [*spec.jobs]
    assert [planned.fingerprints for planned in plan] == [
        fingerprints_of(job, spec.path.parent) for job in spec.jobs
    ]
    assert [planned.paths for planned in plan] == [output.job("second"), output.job("first")]
    assert {planned.state for planned in plan} == {"to do"}
    assert {planned.result for planned in plan} == {None}


@pytest.mark.parametrize(
    ("status", "same", "state"),
    [
        ("passed", True, "done"),
        ("gate_failed", True, "done"),
        ("failed", True, "failed before"),
        ("interrupted", True, "interrupted"),
        ("passed", False, "changed"),
        ("failed", False, "changed"),
    ],
)
def test_how_a_job_stands(spec, output, status, same, state):
    leave(output, "second", status, fingerprints_of(spec.jobs[0], spec.path.parent) if same else OTHER)
    assert states(spec, output) == {"second": state, "first": "to do"}
    (planned, _) = make_plan(spec, output)
    assert (planned.result is not None) == (state == "done")


@pytest.mark.parametrize(("same", "state"), [(True, "interrupted"), (False, "changed")])
def test_a_killed_job_has_the_state_of_its_checkpoints(spec, output, same, state):
    mark = fingerprints_of(spec.jobs[0], spec.path.parent).training if same else OTHER.training
    checkpoint = output.job("second").checkpoint
    checkpoint.mkdir(parents=True)
    (checkpoint / f"{mark[:8]}-0000000001.npz").touch()
    assert states(spec, output) == {"second": state, "first": "to do"}


def test_planning_changes_nothing(spec, output):
    leave(output, "second", "passed", OTHER)
    before = sorted(output.root.rglob("*"))
    make_plan(spec, output)
    assert sorted(output.root.rglob("*")) == before


def test_an_output_directory_that_is_a_file_plans_as_an_empty_one(spec, output, tmp_path):
    (tmp_path / "file").touch()
    assert set(states(spec, OutputPaths(tmp_path / "file")).values()) == {"to do"}


def test_a_written_plan_is_read_back_in_order(spec, output):
    plan = make_plan(spec, output)
    write_plan(output, plan)
    found = read_entries(output.plan)
    fingerprints = [(name, entry.fingerprint) for name, entry in found.items()]
    assert fingerprints == [(planned.job.name, planned.fingerprint) for planned in plan]
    assert json.loads(output.plan.read_text())["schema_version"] == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"jobs": [{"name": "a"}]}', '{"jobs": 3}', "\0"])
def test_what_is_no_plan_is_refused(output, text):
    output.plan.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        read_entries(output.plan)


def test_a_plan_that_is_not_there_is_an_os_error(output):
    with pytest.raises(FileNotFoundError):
        read_entries(output.plan)


def test_the_table_shows_each_jobs_sizes_and_how_it_stands(spec, output):
    marks = fingerprints_of(spec.jobs[0], spec.path.parent)
    leave(output, "second", "passed", marks, spec.jobs[0].model_dump(mode="json"))
    plan = make_plan(spec, output)
    problems = {job.name: build_problem(job.problem, job.seed, spec.path.parent) for job in spec.jobs}
    console = Console(width=120, file=io.StringIO())
    print_plan(plan, problems, console)
    lines = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    second = next(line for line in lines if line[0] == "second")
    first = next(line for line in lines if line[0] == "first")
    parameters = [f"{count_parameters(job.model, 6, 6):,}" for job in spec.jobs]
    assert second[:9] == [
        "second",
        "copy",
        "6,",
        "6",
        "128",
        "100,000",
        parameters[0],
        marks.evaluation[:8],
        "skip",
    ]
    assert first[:8] == ["first", "copy", "6,", "6", "2", "x", "9", "3"]
    assert first[8:11] == ["x", "1,280", parameters[1]]
    assert first[12] == "train"
    assert "seed" in first[13:]  # what differs
    assert "  skip second: nothing that decides its result has changed" in console.file.getvalue()
    assert "  train first: it has no result yet" in console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_holds_every_column_on_a_narrow_terminal(output, tmp_path, width):
    names = ["tutorial", "a-name-so-long-that-it-must-be-folded-source_length-10-units-256"]
    model, training = ModelSpec(units=512, layers=2), TrainingSpec(examples=100_000, epochs=10)
    jobs = tuple(job_spec(name, seed=7, model=model, training=training) for name in names)
    for name in names:
        marks = fingerprints_of(job_spec(name, seed=7, model=model, training=training), tmp_path)
        leave(output, name, "failed", marks)
    plan = make_plan(Spec(path=tmp_path / "jobs.yaml", jobs=jobs), output)
    problems = {job.name: build_problem(job.problem, job.seed, tmp_path) for job in jobs}
    console = Console(width=width, file=io.StringIO())
    print_plan(plan, problems, console)
    lines = console.file.getvalue().rpartition("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= width
    row = lines[lines.index("tutorial") + 1]  # names have lines of their own where columns are few
    assert row.split()[0] == "copy"
    assert row.split()[8:11] == ["100,000", f"{count_parameters(model, 6, 6):,}", plan[0].fingerprint[:8]]
    assert row.rstrip().endswith(" train")
    assert names[1] in lines
