"""The metadata of a model card: the YAML that the Hugging Face hub reads at the top of a `README.md`.

The keys are those of https://huggingface.co/docs/hub/model-cards#model-card-metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from job.reports.content import metric_names
from job.reports.escaping import one_line
from job.reports.formatting import plain
from job.results.job_result import JobResult

_METRIC_IDS = {
    "sequence_accuracy": "exact_match",
    "unseen_sequence_accuracy": "exact_match",
    "token_accuracy": "accuracy",
    "bleu": "sacrebleu",
}
"""The hub's name of a metric where it is not ours."""

_OF_PERSISTENCE = "persistence_"

Json = dict[str, Any]


def front_matter(result: JobResult) -> str:
    """Return the metadata of a finished job's card, between lines of three dashes.

    There is no `license`: that of the data, which a spec may state, need not be that of the model.
    """
    model, problem = result.spec.get("model", {}), result.spec.get("problem", {})
    architecture = str(model.get("architecture", "recurrent"))
    results = [*_results(result)]
    ids = dict.fromkeys(metric["type"] for measured in results for metric in measured["metrics"])
    metadata = {
        "library_name": "keras",
        "tags": ["seq2seq-job", "encoder-decoder", architecture, str(problem.get("kind", "")) or "unknown"],
        "metrics": [*ids],
        "model-index": [{"name": result.name, "results": results}],
    }
    text = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---"


def data_files(result: JobResult) -> dict[str, str]:
    """Return the SHA-256 of each data file by its name, as far as the problem describes its files."""
    files = result.data.problem.get("files")
    if not isinstance(files, Mapping):
        return {}
    return {str(name): digest for name, digest in files.items() if isinstance(digest, str)}


def _results(result: JobResult) -> Iterator[Json]:
    """Yield the entries of `model-index`: the metrics of the test, then those of validation."""
    validation = result.validation.metrics if result.validation else {}
    for split, metrics in (("test", result.metrics), ("validation", validation)):
        names = [n for n in metric_names([result]) if n in metrics and not n.startswith(_OF_PERSISTENCE)]
        if names:
            yield {
                "task": _task(result),
                "dataset": {**_dataset(result), "split": split},
                "metrics": [_metric(name, metrics[name]) for name in names],
            }


def _task(result: JobResult) -> Json:
    if "rmse" in result.metrics:
        return {"type": "time-series-forecasting", "name": "Time series forecasting"}
    return {"type": "text2text-generation", "name": "Sequence to sequence"}


def _dataset(result: JobResult) -> Json:
    problem = result.spec.get("problem", {})
    kind = str(problem.get("name") or problem.get("kind") or "unknown")
    origin = "" if problem.get("kind") == "plugin" else f", generated with seed {result.seed}"
    names = ", ".join(data_files(result)) or f"{plain(kind)}{origin}"
    return {"type": kind, "name": one_line(names)}


def _metric(name: str, value: float) -> Json:
    return {"type": _METRIC_IDS.get(name, name), "value": value, "name": plain(name)}
