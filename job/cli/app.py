"""The command line: the only place that prints errors and picks exit codes. Never imports TensorFlow itself,
but for `predict` and `encode`, which cannot do without it."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import job
from job.batch.ending import Ending
from job.cli.option_variables import check_variables
from job.errors import FAILED, JobError, UsageError
from job.process.import_path import second_packages
from job.process.standard_streams import output_error, secure_streams, was_closed
from job.process.stopping import Stop, Stopped
from job.reports.escaping import json_document, terminal, terminal_lines
from job.storage.local_paths import is_address, refusal

if TYPE_CHECKING:
    from rich.console import Console

    from job.batch.plan import PlannedJob
    from job.batch.progress import Log
    from job.batch.shard import Shard
    from job.inference.input_lines import Chunk
    from job.inference.loading import Usable
    from job.problems.base import Problem
    from job.results.records import Report
    from job.spec.loading import LocatedSpec
    from job.storage.artifacts import OutputPaths


def local_name(name: str) -> str:
    """Check that what the user named is on this machine; the name stays as it was written."""
    if not name.strip():
        raise typer.BadParameter("the name is empty; expected a path")
    if is_address(name):
        raise typer.BadParameter(refusal(name))
    return name


def local_path(name: str | Path) -> Path:
    """Return the path that the user named, unless it is the address of something elsewhere."""
    return name if isinstance(name, Path) else Path(local_name(name))


def local_file(name: str | Path) -> Path:
    """Return the path of a file to write, if there can be one: said before work is done for it."""
    path = local_path(name)
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a directory; expected the name of a file to write")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"{path}: there is no directory {path.parent}; make it, or name another")
    if not os.access(path.parent, os.W_OK):
        raise typer.BadParameter(f"{path}: the directory {path.parent} cannot be written to; name another")
    return path


class _Commands(TyperGroup):
    """The commands, and the batch that is run without one."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Read the command line; a run whose options are wrong leaves reports that say so."""
        given = list(args)
        if self.commands.keys() & set(given):
            return super().make_context(info_name, args, *rest, **extra)
        with _ending_of(given).recorded():
            return super().make_context(info_name, args, *rest, **extra)


def _ending_of(arguments: Sequence[str]) -> Ending:
    """Return the ending of a run whose options may be wrong: where it lies is read from them all the same."""
    found = {
        "--output-dir": os.environ.get("SEQ2SEQ_JOB_OUTPUT_DIR"),
        "--shard": os.environ.get("SEQ2SEQ_JOB_SHARD"),
    }
    for number, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option in found:
            found[option] = value if equals else next(iter(arguments[number + 1 :]), None)
    from job.batch.shard import parse_shard

    shard = None if found["--shard"] else ""
    with suppress(JobError):
        shard = parse_shard(found["--shard"], os.environ).label if found["--shard"] else ""
    return Ending(Path(found["--output-dir"] or DEFAULT_OUTPUT), shard)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    rich_markup_mode=None,  # plain lines, not boxes: for logs too
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SpecOption = Annotated[
    Path,
    typer.Option(
        "--spec", parser=local_path, metavar="PATH", envvar="SEQ2SEQ_JOB_SPEC", help="The spec file."
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output-dir",
        parser=local_path,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_OUTPUT_DIR",
        help="Where reports and models go.",
    ),
]
InputOption = Annotated[
    str,
    typer.Option(
        "--input",
        parser=local_name,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_INPUT",
        help="A text file, or - for standard input.",
    ),
]
ModelArgument = Annotated[
    Path,
    typer.Argument(
        parser=local_path, metavar="MODEL_DIR", help="A finished job's directory, or its model/ directory."
    ),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        parser=local_path,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_BASELINE",
        help="An earlier run, its output directory or its report.json alone: a job that is worse by more "
        "than chance fails.",
    ),
]
UpdateOption = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        envvar="SEQ2SEQ_JOB_UPDATE_BASELINE",
        help="If all is well, put these results in the baseline's place; what was there goes to superseded/.",
    ),
]
DEFAULT_SPEC = Path("jobs.yaml")
DEFAULT_OUTPUT = Path("output")


_MISUSE: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""What is raised for a command line that makes no sense; newer Typer has a Click of its own."""


def main() -> None:
    """Run the command; the one error boundary.

    A container's first process has no reaction to signals but what it sets up, so every command listens.
    """
    secure_streams()
    try:
        with Stop().listening():
            _run_command()
    except Stopped as stopped:
        _fail(f"stopped by {stopped.request.cause}", stopped.request.exit_code)


def _run_command() -> None:
    try:
        code = app(prog_name="seq2seq-job", standalone_mode=False)
    except _MISUSE as error:
        _fail_misuse(error)
    except JobError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; the batch cannot go on", FAILED)
    except Exception as error:
        for line in terminal_lines(traceback.format_exc()):
            typer.echo(line, err=True)
        _fail(f"this is a bug of seq2seq-job: {type(error).__name__}: {error}", FAILED)

    sys.exit(code if isinstance(code, int) else 0)


def _fail_misuse(error: Any) -> NoReturn:
    """Say how the command is used, and what was wrong with it."""
    text = io.StringIO()
    error.show(text)
    for line in terminal_lines(text.getvalue()):
        typer.echo(line, err=True)
    sys.exit(error.exit_code)


def _fail(text: str, code: int) -> NoReturn:
    for line in terminal_lines(text):
        typer.echo(f"error: {line}", err=True)
    sys.exit(code)


def _say(text: str, *, err: bool = False) -> None:
    """Print a line that may hold text from outside."""
    typer.echo(terminal(text), err=err)


def _console() -> Console:
    """Return a console on standard output, which writes what its encoding lacks as escapes."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console()
    return console if console.width > 0 else Console(width=80)  # COLUMNS may be 0


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    spec: SpecOption = DEFAULT_SPEC,
    output_dir: OutputOption = DEFAULT_OUTPUT,
    only: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEQ2SEQ_JOB_ONLY", help="Only jobs whose name matches this glob; may be repeated."
        ),
    ] = None,
    workers: Annotated[
        str,
        typer.Option(
            envvar="SEQ2SEQ_JOB_WORKERS",
            help="Jobs at once: a number, or auto: one a GPU, else one a core, as far as control groups and "
            "memory allow.",
        ),
    ] = "auto",
    shard: Annotated[
        str | None,
        typer.Option(
            envvar="SEQ2SEQ_JOB_SHARD",
            help="Only every N-th job, from the I-th on: I/N, or auto: what Kubernetes, Slurm, GitLab, "
            "CircleCI or Buildkite say.",
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            envvar="SEQ2SEQ_JOB_FRESH", help="Train finished jobs again; old results are set aside."
        ),
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option(envvar="SEQ2SEQ_JOB_FAIL_FAST", help="Stop at the first job that fails.")
    ] = False,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            envvar="SEQ2SEQ_JOB_TIME_LIMIT",
            help="Stop after this long, as on SIGTERM: running jobs save their state, and the same command "
            "goes on. Stopping takes up to 10 seconds.",
        ),
    ] = None,
    tensorboard: Annotated[
        bool,
        typer.Option(
            envvar="SEQ2SEQ_JOB_TENSORBOARD",
            help="Write each trained job's history for TensorBoard too, to jobs/NAME/tensorboard.",
        ),
    ] = False,
    log_format: Annotated[
        str, typer.Option(envvar="SEQ2SEQ_JOB_LOG_FORMAT", help="Progress lines: text or json.")
    ] = "text",
    baseline: BaselineOption = None,
    update_baseline: UpdateOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Train and evaluate the encoder-decoders of a spec, one job after the other."""
    ending = Ending(output_dir, "" if shard is None else None)
    is_run = context.invoked_subcommand is None and not version
    with ending.recorded() if is_run else nullcontext():
        check_variables(os.environ, _option_variables(context))
        _refuse_second_package()
    if context.invoked_subcommand is not None:
        _refuse_options_before(context, context.invoked_subcommand)
        return
    if version:
        typer.echo(job.__version__)
        return
    options: dict[str, Any] = {"fresh": fresh, "fail_fast": fail_fast, "tensorboard": tensorboard}
    with ending.recorded():
        options["stop"] = Stop(_seconds("--time-limit", time_limit))
        asked = _Asked(spec, only, shard, workers, log_format, baseline, update_baseline)
        _run(asked, output_dir, options, ending)


@dataclass(frozen=True)
class _Asked:
    """What a run is asked for; fields are the options of their names."""

    spec: Path
    only: list[str] | None
    shard: str | None
    workers: str
    log_format: str
    baseline: Path | None
    update_baseline: bool


def _run(asked: _Asked, output_dir: Path, options: dict[str, Any], ending: Ending) -> NoReturn:
    """Check what was asked for, and run it with the directory locked."""
    from job.batch.lock import ALL, lock_output
    from job.batch.shard import WHOLE, parse_shard
    from job.process import environment
    from job.workers.limits import read_limits, worker_count
    from job.workers.pool import first_worker

    limits = read_limits()
    workers = worker_count(limits) if asked.workers == "auto" else _worker_count(asked.workers)
    options |= {"workers": workers, "cores": limits.whole_cores, "gpus": limits.gpus}
    part = WHOLE if asked.shard is None else parse_shard(asked.shard, os.environ)
    ending.shard = part.label
    _choice("--log-format", asked.log_format, ("text", "json"))
    _check_update(asked.baseline, asked.update_baseline, shard=part != WHOLE)
    environment.check_versions()
    with options["stop"].listening(), first_worker(limits.gpus) as options["first"]:
        from job.batch.plan import make_plan
        from job.storage.artifacts import (
            prepare_output,  # it loads pydantic: not before the worker has started
        )
        from job.storage.staged_update import complete_update

        located, read = _load_to_run(asked.spec)
        names = _selected([job.name for job in located.spec.jobs], asked.only)
        output = prepare_output(output_dir)
        with lock_output(output.root, f"shard-{part.label}" if part != WHOLE else ALL):
            complete_update(output)
            chosen = part.select([job.name for job in located.spec.jobs if job.name in names])
            plan = make_plan(located.spec, output, read, () if options["fresh"] else chosen)
            _run_jobs(asked, plan, output, part, names, options, ending)


def _commands(context: typer.Context) -> dict[str, Any]:
    """Return the subcommands by their names."""
    return dict(getattr(context.command, "commands", {}))


def _option_variables(context: typer.Context) -> Iterator[str]:
    """Yield the variables that stand for options of any command."""
    for command in (context.command, *_commands(context).values()):
        for parameter in command.params:
            names = parameter.envvar or ()
            yield from (names,) if isinstance(names, str) else names


def _refuse_second_package() -> None:
    """Refuse another package called `job` on `PYTHONPATH`: what uses this one could get that one."""
    if others := second_packages():
        ours = Path(job.__file__).parent
        raise UsageError(
            f"PYTHONPATH has another package called job: {others[0]}, beside that of seq2seq-job: {ours}; "
            "take it off PYTHONPATH, or give it another name"
        )


def _refuse_options_before(context: typer.Context, name: str) -> None:
    """Refuse options before a subcommand: they are of the batch alone, so they would be ignored."""
    own = {option for parameter in _commands(context)[name].params for option in parameter.opts}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        option = parameter.opts[0]
        advice = f"put it after {name}" if option in own else f"{name} has no such option, so leave it out"
        raise UsageError(f"{option} stands before {name}, where it has no effect; {advice}")


def _check_update(baseline: Path | None, update: bool, *, shard: bool) -> None:
    if update and baseline is None:
        raise typer.BadParameter("needs --baseline, the one to update", param_hint="--update-baseline")
    if update and shard:
        text = "a shard has only a part of the results; update with the report of all: seq2seq-job report"
        raise typer.BadParameter(text, param_hint="--update-baseline")


def _run_jobs(
    asked: _Asked,
    plan: tuple[PlannedJob, ...],
    output: OutputPaths,
    part: Shard,
    names: set[str],
    options: dict[str, Any],
    ending: Ending,
) -> NoReturn:
    """Run a shard's jobs of those names, and leave with the exit code that they come to."""
    from job.batch.baseline import check_baseline
    from job.batch.plan import write_plan
    from job.batch.run import run_batch
    from job.batch.shard import WHOLE
    from job.reports.terminal import print_summary
    from job.storage.artifacts import prepare_output

    baseline, update = asked.baseline, asked.update_baseline
    chosen = part.select([planned for planned in plan if planned.job.name in names])
    if update and baseline is not None and baseline.is_dir():
        prepare_output(baseline)  # said now where it cannot be written to
    if baseline is not None:
        options["baseline"] = check_baseline(baseline, output, plan, chosen, sharded=part != WHOLE)
    write_plan(output, plan)
    ending.start()
    output = replace(output, shard=part.label)
    if len(options["gpus"]) > 1 and any(p.job.training.distribution == "mirrored" for p in chosen):
        # one worker that sees every GPU, so not the one that was started ahead
        options |= {"gpus": (",".join(options["gpus"]),), "workers": 1, "first": None}
    with options["stop"].noting():
        log = _log(asked.log_format)
        try:
            directory = asked.spec.parent
            report = run_batch(chosen, output, directory, log, may_be_empty=part != WHOLE, **options)
            ending.reported = True
        finally:
            log.close()
        print_summary(report, _console())
        _say(f"reports: {output.html}")
        _tell_github(report)
        _update(baseline, output, report, [p.job.name for p in plan], update)
        raise typer.Exit(report.exit_code)


def _tell_github(report: Report) -> None:
    """Say in GitHub Actions what went wrong, and fill the step's summary."""
    from job.reports.github import workflow_commands, write_summary

    for line in workflow_commands(report, os.environ):
        typer.echo(line)
    try:
        write_summary(report, os.environ)
    except OSError as error:  # of no consequence for what the batch came to
        _say(f"warning: {error.filename}: {error.strerror}; the step has no summary", err=True)


def _update(
    baseline: Path | None, output: OutputPaths, report: Report, planned: list[str], asked: bool
) -> None:
    """Put a batch's results in its baseline's place, if that was asked for and nothing is wrong with them."""
    if not asked or baseline is None:
        return
    if report.exit_code:
        _say(f"baseline {baseline} is not updated: the exit code is {report.exit_code}", err=True)
        return
    from job.batch.baseline_update import update_baseline

    update_baseline(baseline, output, report, planned)
    _say(f"baseline updated: {baseline}")


def _worker_count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 1024:
        return int(text)
    raise typer.BadParameter(f"{text!r}: expected a number from 1 to 1024, or auto", param_hint="--workers")


def _seconds(option: str, minutes: float | None) -> float:
    if minutes is None:
        return math.inf
    if not minutes > 0:
        raise typer.BadParameter(f"{minutes:g}: expected a number of minutes above 0", param_hint=option)
    return 60 * minutes


def _choice(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r}: expected one of {', '.join(allowed)}", param_hint=option)
    return value


def _log(form: str) -> Log:
    from rich.console import Console

    from job.batch.progress import LiveLog, Log

    if form == "text" and sys.stderr.isatty():
        return LiveLog(Console(stderr=True))
    return Log(lambda line: print(line, file=sys.stderr, flush=True), machine=form == "json")


def _load(spec: Path) -> tuple[LocatedSpec, dict[str, Problem]]:
    """Read a spec and the data that it names; raises `SpecError` with all that is wrong."""
    from job.errors import SpecError
    from job.problems.checking import check_jobs
    from job.spec.loading import load_located

    located = load_located(spec)
    problems, complaints = check_jobs(located)
    if complaints or located.complaints:
        raise SpecError([*located.complaints, *complaints])
    return located, problems


def _load_to_run(spec: Path) -> tuple[LocatedSpec, dict[str, dict[str, str]]]:
    """Read a spec, and by job name the checksums of the data that was read; the data itself is let go."""
    from job.problems.data_files import all_checksums

    located, problems = _load(spec)
    return located, all_checksums(problems)


def _selected(names: list[str], only: list[str] | None) -> set[str]:
    if not only:
        return set(names)
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise typer.BadParameter(
                f"{pattern!r} matches no job; the spec has {', '.join(names)}", param_hint="--only"
            )
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in only)}


@app.command()
def validate(spec: SpecOption = DEFAULT_SPEC) -> None:
    """Check a spec and the data it names: all errors at once, or "N jobs, OK"."""
    located, _ = _load(spec)
    count = len(located.spec.jobs)
    _say(f"{count} job{'' if count == 1 else 's'}, OK")


@app.command()
def plan(spec: SpecOption = DEFAULT_SPEC, output_dir: OutputOption = DEFAULT_OUTPUT) -> None:
    """Show the expanded jobs: sizes, parameters, fingerprint, and whether they are done."""
    from job.batch.plan import make_plan
    from job.batch.plan_table import print_plan
    from job.problems.data_files import all_checksums
    from job.storage.artifacts import OutputPaths

    located, problems = _load(spec)
    planned = make_plan(located.spec, OutputPaths(output_dir), all_checksums(problems))
    print_plan(planned, problems, _console())
    _check_output()


@app.command()
def schema(
    of: Annotated[
        str, typer.Option("--of", envvar="SEQ2SEQ_JOB_OF", help="Of what: spec or report (report.json).")
    ] = "spec",
) -> None:
    """Print the JSON Schema of the spec, for editors, or of report.json."""
    from job.reports.report_schema import report_schema
    from job.spec.spec_file import json_schema

    build = {"spec": json_schema, "report": report_schema}
    typer.echo(json.dumps(build[_choice("--of", of, tuple(build))](), indent=2))
    _check_output()


@app.command()
def report(
    directories: Annotated[
        list[Path],
        typer.Argument(
            parser=local_path,
            metavar="DIR...",
            help="Where a batch, or each of its shards, left its results.",
        ),
    ],
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            parser=local_path,
            metavar="PATH",
            envvar="SEQ2SEQ_JOB_OUTPUT_DIR",
            help="Where results are gathered and reports go; by default the first DIR.",
        ),
    ] = None,
    baseline: BaselineOption = None,
    update_baseline: UpdateOption = False,
) -> None:
    """Build the reports from result files, in one directory or several, and hold them against the plan."""
    from job.batch.merge import merge_reports
    from job.reports.terminal import print_summary
    from job.storage.artifacts import OutputPaths

    _check_update(baseline, update_baseline, shard=False)
    ending = Ending(output_dir or directories[0], planned=True)
    # Elsewhere the reports that are there are those of a run, which a merge needs.
    apart = output_dir is not None and output_dir.resolve() not in [path.resolve() for path in directories]
    with ending.recorded() if apart else nullcontext():
        merged = merge_reports(directories, output_dir, baseline)
    print_summary(merged, _console())
    _tell_github(merged)
    names = [*(job.name for job in merged.jobs), *merged.missing]
    _update(baseline, OutputPaths(output_dir or directories[0]), merged, names, update_baseline)
    raise typer.Exit(merged.exit_code)


@app.command()
def compare(
    baseline: Annotated[
        Path,
        typer.Argument(
            parser=local_path,
            metavar="BASELINE",
            help="A report.json, or the output directory of an earlier run: what holds.",
        ),
    ],
    candidate: Annotated[
        Path,
        typer.Argument(
            parser=local_path,
            metavar="CANDIDATE",
            help="A report.json, or an output directory: what is held against it.",
        ),
    ],
    format: Annotated[
        str, typer.Option("--format", envvar="SEQ2SEQ_JOB_FORMAT", help="What is written: text, md or json.")
    ] = "text",
) -> None:
    """Hold a batch against an earlier one: is anything worse by more than chance? Exits as a batch does."""
    from job.batch.baseline import compare_and_judge
    from job.reports.comparison_tables import against_markdown, print_against

    form = _choice("--format", format, ("text", "md", "json"))
    found, verdict = compare_and_judge(baseline, candidate)
    if form == "text":
        print_against(found, _console())
    else:
        typer.echo(json_document(found.to_json()) if form == "json" else against_markdown(found), nl=False)
    for reason in verdict.reasons:
        _say(reason, err=True)
    if form != "text" and not verdict.exit_code:
        _check_output()
    raise typer.Exit(verdict.exit_code)


@app.command()
def trend(
    places: Annotated[
        list[str],
        typer.Argument(
            parser=local_name,
            metavar="DIR_OR_GLOB...",
            help="Reports of many runs, or directories that hold them.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            parser=local_file,
            metavar="PATH",
            envvar="SEQ2SEQ_JOB_OUTPUT",
            help="The .html file to write.",
        ),
    ] = Path("trend.html"),
    fail_on_change: Annotated[
        bool,
        typer.Option(
            "--fail-on-change",
            envvar="SEQ2SEQ_JOB_FAIL_ON_CHANGE",
            help="Exit with code 3 if a run is bad (its exit code is not 0), or if a metric changed for the "
            "worse beyond chance and has not come back.",
        ),
    ] = False,
) -> None:
    """Show how each metric went over many runs: its noise, its changes, and the first bad run."""
    from job.storage.artifacts import write_text
    from job.trend.metric_series import all_series, read_runs
    from job.trend.trend_lines import print_trend
    from job.trend.trend_page import trend_page

    runs, left_out = read_runs(places)
    for report in left_out:
        _say(f"warning: {report}", err=True)
    series = all_series(runs)
    write_text(output, trend_page(runs, series, left_out))
    verdict = print_trend(runs, series, _console(), left_out)
    _say(f"trend: {output}")
    if fail_on_change:
        raise typer.Exit(verdict.exit_code)


@app.command()
def predict(
    model_dir: ModelArgument,
    input: InputOption = "-",
    n_best: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            envvar="SEQ2SEQ_JOB_N_BEST",
            help="Write this many targets a source, by beam search: line number, score, target, by tabs.",
        ),
    ] = None,
) -> None:
    """Read one source a line, write one target a line; searches as the job's evaluation did."""
    if was_closed(1):
        raise UsageError("standard output is closed, and predictions go there; redirect it to a file")
    with _input(input) as chunks, (stop := Stop()).listening():
        model = _load_model(model_dir)
        for chunk in chunks:
            for line in model.predict_lines(chunk.lines, input, n_best, chunk.first):
                with stop.noting():  # a line is written whole
                    sys.stdout.buffer.write(f"{line}\n".encode())  # UTF-8 whatever the locale is
                stop.check()
                if output_error():
                    break
            with stop.noting():
                sys.stdout.buffer.flush()  # somebody may wait for it before writing the next line
            stop.check()
            if output_error():
                break
    _check_output()


@app.command()
def encode(
    model_dir: ModelArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            parser=local_file,
            metavar="PATH",
            envvar="SEQ2SEQ_JOB_OUTPUT",
            help="The .npz file to write.",
        ),
    ] = Path("contexts.npz"),
    input: InputOption = "-",
) -> None:
    """Write the context vector of each source: the encoder's last states, .npz."""
    with _input(input) as chunks, (stop := Stop()).listening():
        model = _load_model(model_dir)
        stop.check()
        lines = (line for chunk in chunks for line in chunk.lines)
        count = model.encode_lines(lines, input, output)
    _say(f"{count} sources: {output}", err=True)


def _check_output() -> None:
    """Leave with exit code 1 if standard output took only a part; without a word if its reader has gone."""
    sys.stdout.flush()
    error = output_error()
    if error is None:
        return
    if isinstance(error, BrokenPipeError):
        raise typer.Exit(FAILED)
    raise JobError(f"standard output: {error.strerror or error}; what it holds is not complete")


def _load_model(directory: Path) -> Usable:
    """Load TensorFlow as a worker does, so that `predict` computes what the evaluation computed."""
    from job.process import environment
    from job.workers.pool import VARIABLES

    environment.check_versions()
    os.environ.update({**VARIABLES, "TF_CPP_MIN_LOG_LEVEL": "3"})
    with _without_chatter():
        environment.check_works()
        from job.inference import loading as use
    return use.load(directory)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep what TensorFlow's libraries print as they load, which no log level stops, from standard error."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _input(name: str) -> Iterator[Iterator[Chunk]]:
    """Open the input of `predict` or `encode` for the block; see `inference.input_lines`."""
    from job.inference.input_lines import open_source, read_chunks

    if name == "-" and was_closed(0):
        text = "-: standard input is closed; give a file, or connect standard input"
        raise typer.BadParameter(text, param_hint="--input")
    with ExitStack() as opened:
        try:
            source = opened.enter_context(open_source(name))
        except OSError as error:
            raise typer.BadParameter(f"{name}: {error.strerror or error}", param_hint="--input") from error
        yield read_chunks(source, name)
