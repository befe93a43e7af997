"""Restore the files of a finished job that can be made again from its result, and find damaged files.

The models, the vocabulary and the predictions are not among them: without one of those a job is incomplete.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import yaml

from job.batch.baseline_copy import is_baseline_copy
from job.reports.model_card_file import card_text
from job.results.checksums import CARD, MISSING, damages
from job.results.job_result import Artifact, JobResult
from job.storage.artifacts import JobPaths, write_text

_PICTURES = ("curves.svg", "accuracy.svg", "attention.svg", "contexts.svg")
_MODEL_FILES = {"model/inference_encoder.keras", "model/inference_decoder.keras"}
EVALUATION_FILES = frozenset(
    {
        "predictions.jsonl",
        "validation_predictions.jsonl",
        "contexts.json",
        "model/vocabulary.json",  # it has the search options
        "spec.yaml",
        CARD,
        *_PICTURES,
    }
)
"""The files in a job directory that an evaluation writes, besides `result.json`."""


def of_evaluation(path: str) -> bool:
    """Return whether an evaluation or an export writes a file, by its path relative to the job directory."""
    return path in EVALUATION_FILES or PurePosixPath(path).parts[0] == "export"


_OPTIONAL = "contexts.json"
"""A file that only a picture needs; only the model could compute it again."""


@dataclass(frozen=True)
class Restored:
    """A finished job after its missing files were made again.

    Args:
        result: lists the files that are there now.
        written: names of the files that were made again.
        lost: names of the files that could not be; the result lists them no longer.
    """

    result: JobResult
    written: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """A clause that says what was restored; '' if nothing was missing."""
        written = f"{', '.join(self.written)} written again from what is recorded" if self.written else ""
        lost = f"{', '.join(self.lost)} gone; only training again would bring it back" if self.lost else ""
        return "; ".join(filter(None, [written, lost]))


def essential(result: JobResult, artifact: Artifact) -> bool:
    """Return whether a job without this file is incomplete, because the file cannot be made again."""
    if artifact.path == "history.csv":
        return not result.history.get("step")
    optional = artifact.path == _OPTIONAL or artifact.path.startswith("tensorboard/")
    return not (optional or artifact.path in ("spec.yaml", CARD, *_PICTURES))


def result_damage(paths: JobPaths, result: JobResult, *, may_be_copy: bool = False) -> str:
    """Return which file of a finished job is missing or has changed since it was recorded, as a clause.

    Files that can be made again are ignored: they will be restored.

    Args:
        paths: of the job.
        result: of the job.
        may_be_copy: accept what `is_baseline_copy` describes as complete.

    Returns:
        a clause that names one such file and contains `MISSING` if any is missing; '' without such a file.
    """
    if not result.finished:
        return ""
    copy = may_be_copy and is_baseline_copy(paths)
    found = [*damages(paths.directory, result.artifacts, lambda file: copy or not essential(result, file))]
    if not found:
        return ""
    first = next((clause for clause in found if clause.endswith(MISSING)), found[0])
    return first + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


def model_damage(paths: JobPaths, result: JobResult) -> str:
    """Return which file that training left is missing or has changed, as a clause; '' without such a file.

    What an evaluation writes is ignored, and so is what can be made again.
    """
    of_training = [artifact for artifact in result.artifacts if not of_evaluation(artifact.path)]
    found = damages(paths.directory, of_training, lambda file: not essential(result, file))
    return next(found, "") or ("" if _has_model(result) else f"model/ {MISSING}")


def _has_model(result: JobResult) -> bool:
    """Return whether a result lists the files from which its model can be loaded."""
    return {artifact.path for artifact in result.artifacts} >= _MODEL_FILES


def restore(paths: JobPaths, result: JobResult) -> Restored:
    """Make the missing files of a finished job again, from its result.

    `history.csv` gets the columns that the result has, with six digits. Of existing files only those whose
    size is wrong are replaced: pictures that were cut off. An existing model card is left as it is, and its
    record too: people edit it.

    Args:
        paths: of a job without `result_damage`.
        result: of the job; the caller writes the changed `result.json`.

    Raises:
        OSError: a file cannot be written.
    """
    artifacts, written, lost = [], [], []
    missing = {a.path: a for a in result.artifacts if not _is_there(paths, a)}
    made = dict(_make_again(paths, result, missing))
    for artifact in result.artifacts:
        if artifact.path not in missing:
            artifacts.append(artifact)
        elif artifact.path in made:
            artifacts.append(made[artifact.path])
            written.append(artifact.path)
        else:
            lost.append(artifact.path)
    if not missing:
        return Restored(result)
    return Restored(replace(result, artifacts=tuple(artifacts)), tuple(written), tuple(lost))


def _is_there(paths: JobPaths, artifact: Artifact) -> bool:
    path = paths.directory / artifact.path
    return path.is_file() and (artifact.path == CARD or path.stat().st_size == artifact.bytes)


def _make_again(
    paths: JobPaths, result: JobResult, missing: dict[str, Artifact]
) -> Iterator[tuple[str, Artifact]]:
    """Yield the name and the new record of each file that was restored."""
    if not missing:
        return
    makers: dict[str, Callable[[], str]] = {
        "history.csv": lambda: recorded_history(result),
        "spec.yaml": lambda: yaml.safe_dump(result.spec, sort_keys=False),
        CARD: lambda: card_text(paths, result),
    }
    if missing.keys() & {*_PICTURES}:
        from job.reports.plots import drawings  # a second of matplotlib

        makers |= {path.name: draw for path, draw in drawings(paths, result).items()}
    for name, make in makers.items():  # the history first: the curves are drawn from it
        if name not in missing:
            continue
        try:
            text = make()
        except Exception:  # what is recorded may not suffice, or be of any form
            continue
        write_text(paths.directory / name, text)
        content = (paths.directory / name).read_bytes()
        yield name, Artifact(name, len(content), hashlib.sha256(content).hexdigest())


def recorded_history(result: JobResult) -> str:
    """Return `history.csv` as recorded in a result: with six digits, and without some columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.history)
    rows = zip(*result.history.values(), strict=True)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return text.getvalue()


def restore_and_record(paths: JobPaths, result: JobResult) -> Restored:
    """Restore missing files and record that in `result.json`, if the directory can be written to."""
    with suppress(OSError):
        found = restore(paths, result)
        if found.note:
            write_text(paths.result, found.result.to_json())
        return found
    return Restored(result)


def restore_unless_copy(paths: JobPaths, result: JobResult) -> JobResult:
    """Return a result after restoring its missing files, unless the directory is a baseline's copy.

    Args:
        paths: of the job.
        result: of the job; its files were checked.
    """
    whole = result.finished and not is_baseline_copy(paths)
    return restore_and_record(paths, result).result if whole else result
