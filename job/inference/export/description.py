"""Describe an export's files for those who use them: `README.md` and `vocabulary.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from job.inference.export.functions import NEXT, ExportedModel
from job.results.export_result import ExportFormat
from job.storage.artifacts import write_text

_TITLES: dict[ExportFormat, str] = {
    "saved_model": "- `saved_model/1/`: a TensorFlow SavedModel with the signatures `encode`, `step` and "
    "`predict`. TensorFlow Serving loads `saved_model/` as the base path of the model.",
    "onnx": "- `onnx/encoder.onnx` and `onnx/decoder_step.onnx`: the functions `encode` and `step` for "
    "onnxruntime and other ONNX runtimes.",
    "onnx_int8": "- `onnx_int8/`: the same two files with the weights of matrix products in 8 bits. They "
    "are smaller, and can predict something else; `exports` in the job's `result.json` has their accuracy.",
}


def describe(exported: ExportedModel, formats: Sequence[ExportFormat], folder: Path) -> None:
    """Write `README.md` and `vocabulary.json` to the directory of an export.

    Args:
        exported: the model.
        formats: the formats that were written.
        folder: the directory.
    """
    record = json.dumps(exported.model.facts.to_json(), ensure_ascii=False, indent=1, allow_nan=False)
    write_text(folder / "vocabulary.json", record + "\n")
    write_text(folder / "README.md", "\n".join(_readme(exported, formats)) + "\n")


def _readme(exported: ExportedModel, formats: Iterable[ExportFormat]) -> Iterable[str]:
    formats = [*formats]
    yield "# An encoder-decoder for other runtimes\n"
    yield from (_TITLES[name] for name in formats)
    yield "- `vocabulary.json`: the token of each id, at its place in `source.tokens` and `target.tokens`.\n"
    yield from _ids(exported)
    yield "\n## Functions\n"
    yield "n is the number of sources, S their length, V the number of classes.\n"
    yield "`encode` takes `source`, (n, S) int32, and returns:\n"
    yield from _table([*_rows(exported.states), *_rows(exported.memory), *_copied(exported)])
    yield "\n`step` decodes one symbol. It takes `symbol`, (n,) int32, and:\n"
    yield from _table(_rows(exported.step.inputs[1:]))
    yield "\nIt returns `logits`, (n, V) float32, -1e30 for symbols that cannot follow, and:\n"
    yield from _table([(f"{NEXT}{name}", *rest) for name, *rest in _rows(exported.states)])
    yield from _loop(exported)
    if "saved_model" in formats:
        yield (
            "\n`predict` (SavedModel only) takes `source` and returns the result of greedy search: `ids`, "
            f"(n, {exported.model.facts.columns}) int32, 0 after the end of each, and `log_probability`, "
            "(n,) float32, the sum over the symbols."
        )


def _ids(exported: ExportedModel) -> Iterable[str]:
    facts = exported.model.facts
    yield f"A source is the ids of its tokens, {_end(facts.source.end)}."
    if facts.fixed_length:
        yield f"Every source has {facts.source_length} tokens; there is no padding."
    else:
        yield "Shorter sources are padded on the right with 0; a source has at least one token."
    if facts.target.unknown is not None:
        yield f"Id {facts.target.unknown} of the target stands for a token that the vocabulary lacks."
    if exported.model.copies:
        yield (
            f"The model copies tokens. A source token that its vocabulary lacks has an id from "
            f"{len(facts.source)} on, one for each spelling; in the target it has the id that exceeds "
            f"{len(facts.target)} by the same number."
        )


def _end(end: int | None) -> str:
    return "without an end" if end is None else f"then the end, id {end}"


def _loop(exported: ExportedModel) -> Iterable[str]:
    facts = exported.model.facts
    ends = "" if facts.target.end is None else f", or at the end, id {facts.target.end}"
    yield (
        f"\nThe first symbol is the start, id {facts.target.start}; after that it is the argmax of the "
        f"logits. `{NEXT}X` of one step is `X` of the next; what has no `{NEXT}` stays the same. Stop after "
        f"{facts.columns} symbols{ends}."
    )
    if facts.search.max_length_factor is not None and not facts.fixed_length:
        yield f"A source of S tokens has at most ceil({facts.search.max_length_factor:g} S) symbols."
    if exported.caches:
        yield f"All rows of a call must be at the same position, that of `{exported.position}`."
    if exported.model.copies:
        yield (
            f"An argmax of {len(facts.target)} or more is a copied token: column {len(facts.target)} + i is "
            "the id `copied_ids[:, i]`. The next `symbol` is the column itself."
        )


def _rows(specs: Iterable[Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for spec in specs:
        sizes = [
            "n" if axis == 0 else "S" if size is None else str(size) for axis, size in enumerate(spec.shape)
        ]
        rows.append((spec.name, f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''}) {spec.dtype.name}"))
    return rows


def _copied(exported: ExportedModel) -> list[tuple[str, ...]]:
    return [("copied_ids", "(n, S) int32")] if exported.model.copies else []


def _table(rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield "| name | shape and type |"
    yield "| --- | --- |"
    yield from (f"| `{name}` | {shape} |" for name, shape in rows)
