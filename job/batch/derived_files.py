"""The files of a finished job that can be made again from what is recorded of it, and making them again.

The models, the vocabulary and the predictions are not among them: without one of those a job is incomplete.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import yaml

from job.results.checksums import MISSING, damages
from job.results.job_result import Artifact, JobResult
from job.storage.artifacts import JobPaths, write_text

_PICTURES = ("curves.svg", "accuracy.svg", "attention.svg", "contexts.svg")
_OPTIONAL = "contexts.json"
"""What only a picture needs, and only the model can compute again."""


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
        """What was done, as a clause; empty where nothing was missing."""
        written = f"{', '.join(self.written)} written again from what is recorded" if self.written else ""
        lost = f"{', '.join(self.lost)} gone; only training again would bring it back" if self.lost else ""
        return "; ".join(filter(None, [written, lost]))


def essential(result: JobResult, artifact: Artifact) -> bool:
    """Return whether a job without this file is incomplete."""
    if artifact.path == "history.csv":
        return not result.history.get("step")
    optional = artifact.path == _OPTIONAL or artifact.path.startswith("tensorboard/")
    return not (optional or artifact.path == "spec.yaml" or artifact.path in _PICTURES)


def is_baseline_copy(paths: JobPaths) -> bool:
    """Return whether a job directory has only what a baseline keeps of a job: result and predictions."""
    with suppress(OSError):
        return {path.name for path in paths.directory.iterdir()} == {
            paths.result.name,
            paths.predictions.name,
        }
    return False


def result_damage(paths: JobPaths, result: JobResult, *, may_be_copy: bool = False) -> str:
    """Say which file of a finished job is gone without which it is incomplete, or is not as it was recorded.

    A picture that is another is none: it will be drawn again.

    Args:
        paths: of the job.
        result: of the job.
        may_be_copy: accept what `is_baseline_copy` describes as complete.

    Returns:
        a clause that names one such file, '' where there is none; it holds `MISSING` if files are gone.
    """
    if not result.finished:
        return ""
    copy = may_be_copy and is_baseline_copy(paths)
    found = [*damages(paths.directory, result.artifacts, lambda file: copy or not essential(result, file))]
    if not found:
        return ""
    first = next((clause for clause in found if clause.endswith(MISSING)), found[0])
    return first + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


def restore(paths: JobPaths, result: JobResult) -> Restored:
    """Write the files that a finished job lists and that are gone again, from what is recorded.

    `history.csv` gets the columns that the result has, to six digits. Nothing that is there is changed, but a
    picture that is cut off.

    Args:
        paths: of the job, which has no `result_damage`.
        result: of the job; `result.json` is left to the caller.

    Raises:
        OSError: a file cannot be written.
    """
    artifacts, written, lost = [], [], []
    missing = {a.path: a for a in result.artifacts if _size(paths, a) != a.bytes}
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


def _size(paths: JobPaths, artifact: Artifact) -> int | None:
    path = paths.directory / artifact.path
    return path.stat().st_size if path.is_file() else None


def _make_again(
    paths: JobPaths, result: JobResult, missing: dict[str, Artifact]
) -> Iterator[tuple[str, Artifact]]:
    """Yield the name of each file that was written again, and what it is now."""
    if not missing:
        return
    makers: dict[str, Callable[[], str]] = {
        "history.csv": lambda: recorded_history(result),
        "spec.yaml": lambda: yaml.safe_dump(result.spec, sort_keys=False),
    }
    if missing.keys() & {*_PICTURES}:
        from job.reports.plots import drawings  # a second of matplotlib

        makers |= {path.name: draw for path, draw in drawings(paths, result).items()}
    for name, make in makers.items():  # the history first: the curves are drawn from it
        if name not in missing:
            continue
        with suppress(ValueError, LookupError, TypeError, ArithmeticError, FileNotFoundError):
            text = make()  # what is recorded may not suffice
            write_text(paths.directory / name, text)
            content = (paths.directory / name).read_bytes()
            yield name, Artifact(name, len(content), hashlib.sha256(content).hexdigest())


def recorded_history(result: JobResult) -> str:
    """Return the text of `history.csv` as far as a result has it: six digits, and not every column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.history)
    rows = zip(*result.history.values(), strict=True)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return text.getvalue()


def restore_and_record(paths: JobPaths, result: JobResult) -> Restored:
    """Write missing files again and record that in `result.json`, if the directory can be written to."""
    with suppress(OSError):
        found = restore(paths, result)
        if found.note:
            write_text(paths.result, found.result.to_json())
        return found
    return Restored(result)
