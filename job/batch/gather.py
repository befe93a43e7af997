"""The output directories of several shards -> one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from job import artifacts
from job.artifacts import OutputPaths
from job.batch.plan import read_plan
from job.errors import OutputError
from job.results import FINISHED, JobResult


def common_plan(sources: Sequence[OutputPaths]) -> dict[str, str]:
    """Return the plan, job name -> fingerprint, of output directories that all hold the same one.

    A directory without a plan (a shard's that was lost before it planned) is passed over where others have
    one.

    Raises:
        OutputError: a directory is not there, none has a plan, or two plans differ.
    """
    plans = {source.root: plan for source in sources if (plan := _plan(source)) is not None}
    if not plans:
        where = ", ".join(str(source.root) for source in sources)
        raise OutputError(f"{where} holds no batch: there is no plan.json; expected what a run left there")
    first, plan = next(iter(plans.items()))
    for root, other in plans.items():
        for name in dict.fromkeys([*plan, *other]):
            if plan.get(name) != other.get(name):
                raise OutputError(
                    f"{first} and {root} are of different specs: job {name} has fingerprint "
                    f"{_short(plan.get(name))} in one and {_short(other.get(name))} in the other"
                )
    return plan


def _plan(source: OutputPaths) -> dict[str, str] | None:
    if not source.root.is_dir():
        raise OutputError(f"{source.root} holds no batch: it is no directory; expected what a run left there")
    try:
        return read_plan(source.plan)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{source.plan} cannot be read ({error}); run the batch again") from error


def _short(fingerprint: str | None) -> str:
    return fingerprint[:8] if fingerprint else "none"


def read_result(source: OutputPaths, name: str, fingerprint: str) -> JobResult | None:
    """Return a job's result, None where it has none.

    Raises:
        OutputError: it cannot be read, or is of another fingerprint than planned.
    """
    path = source.job(name).result
    try:
        result = JobResult.from_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); train the job again"
        ) from error
    if result.fingerprint != fingerprint:
        raise OutputError(
            f"{path} is of another spec than plan.json (fingerprint {result.fingerprint[:8]}, planned "
            f"{fingerprint[:8]}); train the job again"
        )
    return result


def gather(plan: Mapping[str, str], sources: Sequence[OutputPaths], output: OutputPaths) -> None:
    """Bring every job's directory into `output`: of several results the one that got furthest.

    Args:
        plan: job name -> fingerprint.
        sources: where the results are; of equals the first is taken, and `output` before them all.
        output: prepared, see `artifacts.prepare_output`.

    Raises:
        OutputError: see `read_result`.
        OSError: a file cannot be copied.
    """
    for name, fingerprint in plan.items():
        found = {source: read_result(source, name, fingerprint) for source in [output, *sources]}
        best = max(found, key=lambda source: _progress(found[source]))
        if found[best] is not None and best != output:
            artifacts.adopt(best, output, name)


def _progress(result: JobResult | None) -> int:
    if result is None:
        return 0
    if result.status in FINISHED:
        return 3
    return 2 if result.status == "failed" else 1


def distinct(directories: Sequence[Path]) -> list[OutputPaths]:
    """Return the directories' paths, each directory once, however it is written."""
    return [OutputPaths(path) for path in {path.resolve(): path for path in directories}.values()]
