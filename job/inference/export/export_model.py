"""Export a trained token model: write its files, and compare what each runtime predicts with the model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from job.errors import ExportError
from job.inference.export.agreement import compare
from job.inference.export.description import describe
from job.inference.export.functions import ExportedModel, portable_kernels
from job.inference.export.onnx_files import write_onnx, write_quantized_onnx
from job.inference.export.runtimes import Sources, decode_with
from job.inference.export.saved_model import write_saved_model
from job.inference.tokens import TrainedModel
from job.problems.base import Ids
from job.process.installed_versions import installed
from job.process.stopping import Stop
from job.results.export_result import Approximation, ExportFormat, ExportResult


@dataclass(frozen=True, kw_only=True)
class ExportKind:
    """How a format is written and run.

    Args:
        write: writes the files of a model to an existing directory; beside it are those of earlier formats.
        files: what the program is given, relative to that directory.
        program: see `decode_with`.
        runtime: package of the runtime.
        exact: whether it must predict what the model predicts; otherwise it is scored.
    """

    write: Callable[[ExportedModel, Path, Stop], None]
    files: str
    program: str
    runtime: str
    exact: bool = True


FORMATS: dict[ExportFormat, ExportKind] = {
    "saved_model": ExportKind(
        write=write_saved_model, files="1", program="run_saved_model", runtime="tensorflow"
    ),
    "onnx": ExportKind(write=write_onnx, files="", program="run_onnx", runtime="onnxruntime"),
    "onnx_int8": ExportKind(
        write=write_quantized_onnx, files="", program="run_onnx", runtime="onnxruntime", exact=False
    ),
}

Score = Callable[[Ids], dict[str, float]]
"""Ids of the test examples, (n, T) int32, 0 after the end of each -> metrics."""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """The test examples by which exports are judged.

    Args:
        sources: (n, S) int32, n > 0.
        expected: what the model predicts by greedy search, (n, T) int32.
        score: metrics of predictions.
    """

    sources: Ids
    expected: Ids
    score: Score


def export_model(
    model: TrainedModel,
    formats: Iterable[ExportFormat],
    sources: Ids,
    folder: Path,
    *,
    score: Score,
    threads: int,
    stop: Stop,
) -> tuple[ExportResult, ...]:
    """Write a model in some formats, and check each of them in its own runtime.

    Args:
        model: the trained model; it is exported with greedy search, whatever its search options are.
        formats: the formats; `onnx_int8` comes after `onnx`.
        sources: the test sources, (n, S) int32, n > 0.
        folder: an existing empty directory. It gets a directory for each format, and `README.md` and
            `vocabulary.json`, which describe them.
        score: metrics of predictions of the test sources.
        threads: number of threads of the runtimes.
        stop: requests to stop.

    Raises:
        ExportError: an export cannot be made or run, or predicts something else than the model.
        OSError: a file cannot be written.
        Stopped: the job was asked to stop.
    """
    search = replace(model.facts.search, decoder="greedy")
    greedy = replace(model, facts=replace(model.facts, search=search))
    tested = Tested(sources=sources, expected=greedy.decode(sources), score=score)
    exported, results = ExportedModel(greedy), []
    for name in formats:
        stop.check()
        try:
            results.append(_export(exported, name, tested, folder, threads=threads, stop=stop))
        except ExportError as error:
            raise ExportError(
                f"the {name} export failed: {error}; report it with the job's log, or drop {name} from "
                "`export`"
            ) from error
    describe(exported, [*formats], folder)
    return tuple(results)


def _export(
    exported: ExportedModel,
    name: ExportFormat,
    tested: Tested,
    folder: Path,
    *,
    threads: int,
    stop: Stop,
) -> ExportResult:
    """Write and check one format."""
    kind, files = FORMATS[name], folder / name
    files.mkdir()
    with portable_kernels(exported.model):
        kind.write(exported, files, stop)
    stop.check()
    scratch = folder / "check"
    scratch.mkdir()
    decoded = decode_with(
        kind.program,
        files / kind.files,
        Sources(model=exported.model, ids=tested.sources),
        scratch,
        threads=threads,
        stop=stop,
    )
    shutil.rmtree(scratch)
    return ExportResult(
        format=name,
        directory=f"export/{name}",
        bytes=sum(path.stat().st_size for path in files.rglob("*") if path.is_file()),
        examples=len(tested.sources),
        near_ties=compare(exported.model, tested.sources, tested.expected, decoded.ids) if kind.exact else 0,
        sequences_per_second=round(len(tested.sources) / max(decoded.seconds, 1e-9), 2),
        versions={kind.runtime: installed(kind.runtime) or "unknown"},
        approximation=None if kind.exact else _approximation(tested, decoded.ids),
    )


def _approximation(tested: Tested, found: Ids) -> Approximation:
    return Approximation(
        differing=int((found != tested.expected).any(axis=1).sum()),
        metrics=tested.score(found),
        model_metrics=tested.score(tested.expected),
    )
