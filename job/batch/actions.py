"""What the next run does for each job, and why: the words of `plan` and of the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from job.batch.earlier_results import EarlierResult, EarlierResults
from job.batch.progress import DONE, NEW
from job.batch.resume import PreviousJob, find_previous, read_recorded_spec
from job.results.job_result import JobResult
from job.spec.change_effects import Effect, changed_keys, select
from job.spec.fingerprints import Fingerprints, installed_versions
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths

Action = Literal["skip", "re-judge", "re-evaluate", "resume", "train"]

MAX_KEYS = 6
"""Number of changed keys that a reason names."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the next run does for a job.

    Args:
        action: `skip` (the result is as recorded), `re-judge` (by a changed gate), `re-evaluate` (the saved
            model on the test), `resume` (the training, from a checkpoint) or `train`.
        why: the reason, as a clause.
        previous: what is in the job's own directory.
        source: the result to reuse or the model to evaluate, if it is in another directory.
        after: jobs of the batch with the same training, in the order in which they are trained if all fail:
            the model of the first that is trained is evaluated. Empty if the job waits for none.
        alone: the decision if none of these is trained.
    """

    action: Action
    why: str
    previous: PreviousJob
    source: EarlierResult | None = None
    after: tuple[str, ...] = ()
    alone: Decision | None = None

    @property
    def result(self) -> JobResult | None:
        """The finished result to reuse; None if there is something to compute."""
        if self.action not in ("skip", "re-judge"):
            return None
        return self.source.result if self.source else self.previous.result

    @property
    def model(self) -> JobResult | None:
        """The finished result whose model is evaluated; None for other actions, and until it is trained."""
        if self.action != "re-evaluate" or self.after:
            return None
        return self.source.result if self.source else self.previous.model


def decide(
    job: JobSpec,
    fingerprints: Fingerprints,
    output: OutputPaths,
    earlier: EarlierResults,
    *,
    verify: bool = True,
) -> Decision:
    """Decide what the next run does for a job; reads the output directory and changes nothing.

    Args:
        job: the resolved job.
        fingerprints: of the job.
        output: the output directory.
        earlier: the results in other directories than the job's own.
        verify: see `find_previous`; without it other directories are not searched.
    """
    paths = output.job(job.name)
    previous = find_previous(paths, fingerprints, verify=verify)
    spec = job.model_dump(mode="json")
    if previous.result is not None:
        return _reuse(Decision(action="skip", why="", previous=previous), spec, previous.result, "")
    if verify and (found := earlier.complete(job.name, fingerprints)):
        decision = Decision(action="skip", why="", previous=previous, source=found)
        return _reuse(decision, spec, found.result, f"its result is in {_place(found.directory, output)}")
    if previous.model is not None:
        changes = _changes(previous.model.spec, spec, "evaluation")
        return Decision(action="re-evaluate", why=changes or previous.reason, previous=previous)
    if verify and (found := earlier.trained(job.name, fingerprints)):
        changes = _changes(found.result.spec, spec, "evaluation") or previous.reason
        place = f"its model is in {_place(found.directory, output)}"
        why = f"{changes}; {place}" if changes else place
        return Decision(action="re-evaluate", why=why, previous=previous, source=found)
    if previous.resumable:
        return Decision(action="resume", why=_why_resumed(previous, spec), previous=previous)
    recorded = read_recorded_spec(paths, previous.recorded) if previous.state == "changed" else {}
    return Decision(action="train", why=_why_trained(previous, recorded, spec), previous=previous)


def _reuse(decision: Decision, spec: Mapping[str, Any], result: JobResult, place: str) -> Decision:
    """Return the decision about a job with a finished result: `skip`, or `re-judge` if its gate changed."""
    rules = (_changes(result.spec, spec, "gate"), _listed(changed_keys(_seeds(result.spec), _seeds(spec))))
    changes = ", ".join(filter(None, rules))
    why = "; ".join(filter(None, [changes, place])) or DONE
    return replace(decision, action="re-judge" if changes else "skip", why=why)


def _seeds(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"seeds": spec.get("seeds", [])}


def _why_resumed(previous: PreviousJob, spec: Mapping[str, Any]) -> str:
    how = "an interrupted training has left a checkpoint"
    if previous.state == "failed before" and previous.recorded and previous.recorded.error:
        how = f"it has failed after a checkpoint: {previous.recorded.error.summary}"
    changes = _changes(previous.recorded.spec, spec, "evaluation") if previous.recorded is not None else ""
    return f"{how}; {changes}" if changes else how


def _why_trained(previous: PreviousJob, recorded: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    match previous.state:
        case "to do":
            return NEW
        case "failed before":
            error = previous.recorded.error if previous.recorded else None
            return f"it has failed before: {error.summary}" if error else "it has failed before"
        case "interrupted":
            return "it was interrupted before its first checkpoint"
        case "changed":
            return _why_changed(previous, recorded, spec)
        case _:
            return previous.reason


def _why_changed(previous: PreviousJob, recorded: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """Return which keys, else which versions differ; if neither do, the data has changed."""
    result = previous.recorded
    if result is not None and not result.training_fingerprint:
        return "its result was left by a version without training fingerprints"
    versions = result.environment.get("versions", {}) if result is not None else {}
    updated = changed_keys(versions, {**versions, **installed_versions()}) if versions else ()
    changes = [_changes(recorded, spec, "training") if recorded else "", _listed(updated)]
    if any(changes):
        return ", ".join(filter(None, changes))
    if (spec.get("training") or {}).get("start_from") is not None:
        return "the model that it starts from, a data file or the problem's package has changed"
    return "a data file or the problem's package has changed" if recorded else previous.reason


def _changes(recorded: Mapping[str, Any], spec: Mapping[str, Any], effect: Effect) -> str:
    """Return the changed keys that have an effect: `model.units 64 -> 128`; '' if there are none."""
    return _listed(changed_keys(select(recorded, effect), select(spec, effect)))


def _listed(changes: Iterable[object]) -> str:
    texts = [str(change) for change in changes]
    more = [f"{len(texts) - MAX_KEYS} more"] if len(texts) > MAX_KEYS else []
    return ", ".join([*texts[:MAX_KEYS], *more])


def _place(directory: Path, output: OutputPaths) -> str:
    return directory.relative_to(output.root).as_posix()
