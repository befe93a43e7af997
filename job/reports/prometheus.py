"""Write a report as `metrics.prom`, in Prometheus' text format for node_exporter's textfile collector.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from job.reports.content import judged_jobs
from job.reports.escaping import prometheus_label
from job.results.batch_report import Report
from job.results.job_result import STATUSES, JobResult

PREFIX = "seq2seq_job_"


@dataclass
class _Family:
    """A metric: its description, and its samples with their labels."""

    name: str
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def lines(self, common_labels: Mapping[str, str]) -> Iterator[str]:
        """Yield the lines of the metric; `common_labels` are added to every sample."""
        name = PREFIX + self.name
        yield f"# HELP {name} {self.help}"
        yield f"# TYPE {name} gauge"
        for labels, value in self.samples:
            all_labels = {**labels, **common_labels}
            pairs = ",".join(f'{key}="{prometheus_label(text)}"' for key, text in all_labels.items())
            yield f"{name}{{{pairs}}} {value!r}" if pairs else f"{name} {value!r}"


def metrics_text(report: Report, *, shard: str = "") -> str:
    """Return the file's text.

    Every metric is a gauge. A job's name is the label `name`: Prometheus reserves the label `job`.

    Args:
        report: of the batch.
        shard: for instance `2-of-4`; if given, a label of every sample, because the files of several shards
            may be in one directory.
    """
    common_labels = {"shard": shard} if shard else {}
    families = [*_batch(report), *_jobs(report)]
    return "".join(f"{line}\n" for family in families for line in family.lines(common_labels))


def _batch(report: Report) -> Iterator[_Family]:
    yield _Family("exit_code", "Exit code of the batch.", [({}, report.exit_code)])
    if report.running:
        yield _Family("running", "1 where the batch had not ended when this was written.", [({}, 1)])
    counts: list[tuple[Mapping[str, str], float]] = [
        ({"status": status}, count) for status, count in report.totals.items()
    ]
    yield _Family("jobs", "Jobs of the batch by status.", counts)
    for moment in ("started", "finished"):
        seconds = datetime.fromisoformat(getattr(report, f"{moment}_at")).timestamp()
        yield _Family(
            f"{moment}_timestamp_seconds", f"When the batch {moment}, in Unix time.", [({}, seconds)]
        )


def _jobs(report: Report) -> Iterable[_Family]:
    status = _Family("status", "1 for the status that a job has, 0 for the others.")
    held: dict[str, str] = {job.name: job.status for job in report.jobs}
    held |= dict.fromkeys(report.missing, "missing")
    for name, own in held.items():
        for each in (*STATUSES, "missing"):
            status.samples.append(({"name": name, "status": each}, int(each == own)))
    judged = _Family("judged", "1 for a job that has gates, or a mean with gates, 0 for one that has none.")
    applied = judged_jobs(report)
    reused = _Family("reused", "1 for a job that was done before this run.")
    metric = _Family("metric", "What the evaluation of a job measured; fractions are in 0..1.")
    validation = _Family(
        "validation_metric", "What the evaluation of a job measured on its validation examples."
    )
    timing = _Family("timing", "How long the stages of a job took, in seconds, and its speeds, per second.")
    memory = _Family("peak_memory_bytes", "The most memory that a job's process held.")
    for job in report.jobs:
        labels = {"name": job.name}
        judged.samples.append((labels, int(job.name in applied)))
        reused.samples.append((labels, int(job.reused)))
        metric.samples += _named(job, "metric", job.metrics)
        validation.samples += _named(job, "metric", job.validation.metrics if job.validation else {})
        timing.samples += _named(job, "timing", job.timings)
        if job.peak_rss_bytes:
            memory.samples.append((labels, job.peak_rss_bytes))
    return [
        family for family in (status, judged, reused, metric, validation, timing, memory) if family.samples
    ]


def _named(job: JobResult, label: str, values: Mapping[str, float]) -> list[tuple[Mapping[str, str], float]]:
    return [({"name": job.name, label: key}, value) for key, value in values.items()]
