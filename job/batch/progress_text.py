"""The progress of a job and of a batch in words, and in the columns of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from job.batch.eta import BatchEta
from job.reports.formatting import clock_time, plain, quantity
from job.results.job_result import Progress
from job.training.history import DECODED

Part = tuple[int, str]
"""A part of a line, and how soon it is left out for want of room: 0 never, then the largest first."""


def describe_progress(step: Progress) -> str:
    """Return the progress of a job as text."""
    accuracy = "" if step.token_accuracy is None else f"token accuracy {step.token_accuracy:.2%}, "
    speed = f"{step.examples_per_second:,.0f} examples/s"
    validation = "".join(f", {words}" for words in _validation_words(step.validation))
    return f"step {step.step}/{step.steps}, loss {step.loss:.4f}, {accuracy}{speed}{validation}"


def job_counts(eta: BatchEta) -> str:
    """Return the number of jobs in each state: `3 of 8 jobs done (1 failed), 2 running, 3 waiting`.

    With other nodes: `3 of 8 jobs done, 2 running here, 1 on other nodes, 2 waiting`.
    """
    failed = f" ({eta.failed} failed)" if eta.failed else ""
    parts = [f"{eta.done} of {count_jobs(eta.jobs)} done{failed}"]
    here = "running here" if eta.elsewhere else "running"
    counts = {here: len(eta.running), "on other nodes": eta.elsewhere, "waiting": eta.waiting}
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(parts)


def count_jobs(jobs: int) -> str:
    """Return a number of jobs in words."""
    return f"{jobs} job" if jobs == 1 else f"{jobs} jobs"


def time_left(seconds: float | None) -> str:
    """Return a time left as the end of a line; nothing if it is not known, or over."""
    return f", {clock_time(seconds)} left" if seconds and seconds >= 0.5 else ""


def progress_parts(step: Progress, left: float | None) -> list[Part]:
    """Return the parts of a running job's line on a terminal.

    Args:
        step: its progress.
        left: seconds that it still takes; None if that is not known.
    """
    parts = [(0, f"{step.step}/{step.steps}")]
    if step.step >= step.steps:
        parts.append((0, "evaluating"))
    else:
        parts.append((2, f"loss {step.loss:.4f}"))
        parts += [] if step.token_accuracy is None else [(4, f"acc {step.token_accuracy:.1%}")]
        parts += _validation_part(step.validation)
        parts.append((5, f"{step.examples_per_second:,.0f}/s"))
    return [*parts, *_left_part(left)]


def batch_parts(eta: BatchEta, left: float | None) -> list[Part]:
    """Return the parts of the batch's line on a terminal.

    Args:
        eta: of the batch.
        left: seconds that it still takes; None if that is not known.
    """
    parts = [(0, f"{eta.done}/{eta.jobs} done")]
    parts += [(2, f"{eta.failed} failed")] if eta.failed else []
    parts += [(3, f"{len(eta.running)} running")]
    parts += [(5, f"{eta.elsewhere} elsewhere")] if eta.elsewhere else []
    parts += [(4, f"{eta.waiting} waiting")]
    return [*parts, *_left_part(left)]


def fitting(parts: Sequence[Part], width: int) -> str:
    """Return the parts of a line that fit, in their order.

    Args:
        parts: of the line.
        width: number of columns.
    """
    kept = [*parts]
    while len(text := "  ".join(part for _, part in kept)) > width and len(kept) > 1:
        kept.remove(max(kept, key=lambda part: part[0]))
    return text


def _left_part(seconds: float | None) -> list[Part]:
    return [(1, f"{clock_time(seconds)} left")] if seconds and seconds >= 0.5 else []


def _decoded(validation: Mapping[str, float]) -> dict[str, float]:
    return {k.removeprefix(DECODED): v for k, v in validation.items() if k.startswith(DECODED)}


def _validation_part(validation: Mapping[str, float]) -> list[Part]:
    """Return the metric of the best epoch, else an accuracy, else the loss, of validation."""
    for name, value in _decoded(validation).items():
        return [(3, f"val {quantity(name, value)}")]
    if "val_token_accuracy" in validation:
        return [(3, f"val {validation['val_token_accuracy']:.1%}")]
    return [(3, f"val {validation['val_loss']:.4f}")] if "val_loss" in validation else []


def _validation_words(validation: Mapping[str, float]) -> list[str]:
    """Return the loss of validation, and the metric of the best epoch or an accuracy, in words."""
    decoded = _decoded(validation)
    words = [f"validation {plain(name)} {quantity(name, value)}" for name, value in decoded.items()]
    if not words and "val_token_accuracy" in validation:
        words = [f"validation token accuracy {validation['val_token_accuracy']:.2%}"]
    loss = validation.get("val_loss")
    return words if loss is None else [f"validation loss {loss:.4f}", *words]
