"""What is measured, part by part: each runs its contenders and returns figures that JSON can hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks import peers_environment
from benchmarks.commands import command_seconds, write_batch, write_nights
from benchmarks.comparison import OWN, check_parameters, medians, slope
from benchmarks.contenders import Contender, Done, at_once, program, run_job, tutorial_program
from benchmarks.floor import Rates, Work, machine_rates
from benchmarks.programs.lesson import Lesson
from benchmarks.shapes import Job, alone, changed, find_job, peer_shapes
from benchmarks.workload import write_spec, write_workload

THREADS = 2
FLOPS_A_POINT = 3e11
"""Of the training that a point of a series is timed by: seconds, on two cores."""

_JAX_SHAPES = ("tutorial", "tutorial-32", "long")
LENGTHS = (6, 12, 25, 50, 100, 200)
UNITS = (64, 128, 256, 512, 1024)
CARDINALITIES = (50, 500, 5_000, 50_000)
JOBS = (1, 8, 64)
EXAMPLES = (10_000, 100_000, 1_000_000)
MANY_EXAMPLES = (100_000, 1_000_000, 10_000_000)


@dataclass
class Session:
    """One run of the benchmarks.

    Attributes:
        spec: `jobs.yaml`.
        scratch: takes what the contenders leave.
        runs: of each, where the part says nothing else.
        quick: fewer examples and points, to see that all works.
    """

    spec: dict[str, Any]
    scratch: Path
    runs: int
    quick: bool
    _numbers: Iterator[int] = field(default_factory=count)

    def place(self) -> Path:
        """Return a path that nothing is at."""
        return self.scratch / str(next(self._numbers))

    def workload(self, job: Job, seed: int = 1) -> Lesson:
        """Write a workload with the job alone."""
        return write_workload(self.place(), alone(self.spec, self.scaled(job), seed=seed))

    def scaled(self, job: Job) -> Job:
        """Return the job, in a quick session with fewer examples."""
        if not self.quick:
            return job
        examples = min(12_800, job.get("training", {}).get("examples", 100_000))
        return changed(job, job["name"], training={"examples": examples})

    def points(self, values: Sequence[int]) -> Sequence[int]:
        """Return the values of a series, in a quick session the first two."""
        return values[:2] if self.quick else values


def say(text: str) -> None:
    """Tell on standard error how it goes."""
    print(text, file=sys.stderr, flush=True)


# --- against others -----------------------------------------------------------------------------------------


def tutorial(session: Session) -> dict[str, Any]:
    """Time the tutorial job against the tutorial's own program: whole commands, in turn, a seed a round."""
    job = changed(find_job(session.spec, "tutorial"), "tutorial")
    runs: dict[str, list[dict[str, float | None]]] = {OWN: [], "tutorial's program": []}
    for seed in range(1, session.runs + 1):
        lesson = session.workload(job, seed)
        runs[OWN].append(_whole(_run_own(session, lesson)))
        done = tutorial_program(lesson).run(lesson.directory, f"--seed={seed}")
        runs["tutorial's program"].append(_whole(done, done.said["sequence_accuracy"]))
    return {name: {**medians(of), "runs": len(of)} for name, of in runs.items()}


def _run_own(session: Session, lesson: Lesson, *arguments: str) -> Done:
    return run_job(lesson.directory, session.place(), *arguments)


def _whole(done: Done, accuracy: float | None = None) -> dict[str, float | None]:
    """Return the figures of a whole process; the accuracy of the job's first report unless given."""
    if accuracy is None:
        accuracy = done.said["jobs"][0]["metrics"]["sequence_accuracy"]
    return {
        "wall_seconds": done.cost.wall_seconds,
        "peak_tree_rss_bytes": done.cost.peak_tree_rss_bytes,
        "peak_process_rss_bytes": done.cost.peak_process_rss_bytes,
        "sequence_accuracy": accuracy,
    }


def peers(session: Session) -> dict[str, Any]:
    """Time every contender at every shape; the tutorial's several times, the others once."""
    python = peers_environment.prepare()
    found = {}
    for name, job in peer_shapes(session.spec).items():
        say(f"peers: {name}")
        contenders = [
            program("seq2seq-job", "fused", THREADS),
            program("plain Keras", "keras_transformer" if name == "transformer" else "plain_keras", THREADS),
            program("PyTorch", "pytorch", THREADS, python),
            *([program("JAX", "jax_scan", THREADS, python)] if name in _JAX_SHAPES else []),
        ]
        runs = session.runs if name == "tutorial" else 1
        found[name] = _compared(session, job, contenders, runs)
    return found


def _compared(session: Session, job: Job, contenders: list[Contender], runs: int) -> dict[str, Any]:
    figures: dict[str, list[dict[str, float | None]]] = {}
    origins = {}
    for seed in range(1, runs + 1):
        lesson = session.workload(job, seed)
        for contender in contenders:
            done = contender.run(lesson.directory, str(lesson.directory))
            origins[contender.name] = {key: done.said.pop(key) for key in ("versions", "device")}
            whole = _whole(done, done.said["sequence_accuracy"])
            if contender.name == OWN:  # as its users start it; the steady figures are of the process alone
                whole = _whole(_run_own(session, lesson))
            figures.setdefault(contender.name, []).append({**done.said, **whole})
    rows = {name: {**medians(of), "runs": runs} for name, of in figures.items()}
    check_parameters(rows, second_biases=0 if lesson.heads else 2 * lesson.layers * 4 * lesson.units)
    return {name: {**row, **origins[name]} for name, row in rows.items()}


def pair(session: Session) -> dict[str, Any]:
    """Time two of a kind at once, one thread each: training alone, summed over both; of the job also the
    whole command that does two by two workers."""
    python = peers_environment.prepare()
    job = changed(find_job(session.spec, "tutorial"), "tutorial")
    contenders = [program(OWN, "fused", 1), program("PyTorch", "pytorch", 1, python)]
    runs: dict[str, list[dict[str, float | None]]] = {contender.name: [] for contender in contenders}
    for _ in range(session.runs):
        for contender in contenders:
            places = [session.workload(job, seed).directory for seed in (1, 2)]
            done = at_once(contender, places, "--fit-only")
            rate = sum(each.said["examples_per_second"] for each in done)
            wall = max(each.cost.wall_seconds for each in done)
            if contender.name == OWN:
                wall = run_matrix(session, job, {"seed": [1, 2]}, "--workers", "2").cost.wall_seconds
            runs[contender.name].append({"examples_per_second": rate, "wall_seconds": wall})
    return {name: {**medians(of), "runs": len(of)} for name, of in runs.items()}


def run_matrix(session: Session, job: Job, matrix: dict[str, list[int]], *arguments: str) -> Done:
    """Run a batch of a job's variations."""
    directory = session.place()
    write_spec(directory, alone(session.spec, {**session.scaled(job), "matrix": matrix}))
    return run_job(directory, session.place(), *arguments)


# --- as the work grows --------------------------------------------------------------------------------------


def series(session: Session) -> dict[str, Any]:
    """Time a training step as length, units and classes grow, against the floor of each."""
    rates = machine_rates(THREADS)
    found: dict[str, Any] = {"rates": vars(rates)}
    tutorial_sizes = {"source_length": 6, "target_length": 3, "cardinality": 51, "units": 128}
    swept: dict[str, tuple[Sequence[int], Callable[[int], dict[str, int]]]] = {
        "length": (LENGTHS, lambda n: {"source_length": n, "target_length": n}),
        "units": (UNITS, lambda n: {"units": n}),
        "cardinality": (CARDINALITIES, lambda n: {"cardinality": n + 1}),
    }
    for name, (values, sizes) in swept.items():
        say(f"series: {name}")
        points = [
            {"x": x, **_step_seconds(session, {**tutorial_sizes, **sizes(x)}, rates)}
            for x in session.points(values)
        ]
        found[name] = fitted(points, "seconds", "floor_seconds")
    return found


def fitted(points: list[dict[str, float]], figure: str, floor: str | None = None) -> dict[str, Any]:
    """Return points with the slope of a figure, and of the floor where there is one."""
    x = [point["x"] for point in points]
    found: dict[str, Any] = {"points": points, "slope": slope(x, [point[figure] for point in points])}
    if floor:
        found["floor_slope"] = slope(x, [point[floor] for point in points])
    return found


def _step_seconds(session: Session, sizes: dict[str, int], rates: Rates) -> dict[str, float]:
    """Return how long a training step takes, and how long it would at the floor."""
    work = Work(batch_size=128, **sizes)
    steps = int(min(200, max(12, FLOPS_A_POINT / work.flops)))
    problem = {k: v for k, v in sizes.items() if k != "units"}
    job = changed(
        {"name": ""},
        "point",
        problem={"kind": "reversed_prefix", **problem},
        model={"units": sizes["units"]},
        training={"examples": 128 * steps},
        evaluation={"examples": 1},
    )
    lesson = session.workload(job)
    done = program(OWN, "fused", THREADS).run(lesson.directory, str(lesson.directory), "--fit-only")
    if int(done.said["parameters"]) != work.parameters:
        raise ValueError(f"{done.said['parameters']} parameters, where the floor counts {work.parameters}")
    return {"seconds": 128 / done.said["examples_per_second"], "floor_seconds": work.seconds(rates)}


def examples(session: Session) -> dict[str, Any]:
    """Time whole commands as examples grow: the tutorial's job, and for ten million a smaller model."""
    tutorial_job = find_job(session.spec, "tutorial")
    small = {
        "problem": {"source_length": 3, "target_length": 1},
        "model": {"units": 16},
        "training": {"batch_size": 1024},
        "evaluation": {"examples": 1000},
    }
    swept = {
        "tutorial": (changed(tutorial_job, "tutorial"), EXAMPLES),
        "small": (changed(tutorial_job, "small", **small), MANY_EXAMPLES),
    }
    found = {}
    for name, (job, values) in swept.items():
        say(f"examples: {name}")
        points = [_by_examples(session, job, n) for n in session.points(values)]
        found[name] = fitted(points, "train_seconds")
    return found


def _by_examples(session: Session, job: Job, number: int) -> dict[str, float]:
    directory = session.place()
    sized = changed(job, job["name"], training={"examples": number})
    write_spec(directory, alone(session.spec, sized))
    done = run_job(directory, session.place())
    timings = done.said["jobs"][0]["timings"]
    return {
        "x": number,
        "wall_seconds": done.cost.wall_seconds,
        "fit_seconds": timings["fit_seconds"],
        "train_seconds": timings["train_seconds"],
        "peak_tree_rss_bytes": done.cost.peak_tree_rss_bytes,
    }


def jobs(session: Session) -> dict[str, Any]:
    """Time batches of small jobs in one worker: all of one shape, and each of another."""
    tiny = {"training": {"examples": 1280}, "evaluation": {"examples": 100, "validation_examples": 100}}
    job = changed(find_job(session.spec, "tutorial"), "tiny", **tiny)
    swept = {"one_shape": ("seed", 1, JOBS), "other_shapes": ("problem.cardinality", 51, JOBS[:2])}
    return {
        name: _by_jobs(
            session, job, {n: {key: list(range(first, first + n))} for n in session.points(numbers)}
        )
        for name, (key, first, numbers) in swept.items()
    }


def _by_jobs(session: Session, job: Job, matrices: dict[int, dict[str, list[int]]]) -> dict[str, Any]:
    points: list[dict[str, float]] = []
    for number, matrix in matrices.items():
        say(f"jobs: {number}, {', '.join(matrix)}")
        done = run_matrix(session, job, matrix, "--workers", "1")
        steps = fmean(each["timings"]["train_seconds"] for each in done.said["jobs"])
        points.append({"x": number, "wall_seconds": done.cost.wall_seconds, "train_seconds": steps})
    first, last = points[0], points[-1]
    each = (last["wall_seconds"] - first["wall_seconds"]) / (last["x"] - first["x"])
    return {**fitted(points, "wall_seconds"), "further_job_seconds": each - last["train_seconds"]}


def commands(session: Session) -> dict[str, Any]:
    """Time the commands that train nothing."""
    directory = session.place()
    directory.mkdir()
    nights = write_nights(directory, *([10, 2] if session.quick else []))
    batch = write_batch(directory, *([10] if session.quick else []))
    trend = "trend of 10 nights" if session.quick else "trend"
    report = "report of 10 jobs" if session.quick else "report"
    spec = Path("jobs.yaml").absolute()
    return {
        "help": command_seconds(["--help"], directory, session.runs),
        "validate": command_seconds(["validate", "--spec", str(spec)], directory, session.runs),
        trend: command_seconds(["trend", str(nights)], directory, session.runs),
        report: command_seconds(["report", str(batch)], directory, session.runs),
    }
