"""Decode sources with an export in a process of its own, which can import only the export's runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from job.errors import ExportError
from job.inference.tokens import TrainedModel
from job.problems.base import Ids
from job.process.stopping import Stop

_POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What a runtime has decoded.

    Args:
        ids: (n, T) int32, 0 after the end of each.
        seconds: time of decoding, without loading.
    """

    ids: Ids
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The sources to decode, in batches of similar lengths.

    Args:
        model: the model that was exported.
        ids: sources, (n, S) int32.
    """

    model: TrainedModel
    ids: Ids

    def batches(self) -> Iterator[tuple[NDArray[np.intp], Ids]]:
        """Yield for each batch the indices of its sources, and their ids."""
        for batch, ids in self.model.batches(self.ids):
            yield batch.chosen, ids[: len(batch.chosen)]


def decode_with(
    program: str, files: Path, sources: Sources, folder: Path, *, threads: int, stop: Stop
) -> Decoded:
    """Decode sources with an export in its own runtime, on the CPU.

    Args:
        program: name of the program beside this module, `run_saved_model` or `run_onnx`.
        files: directory of the export.
        sources: the sources.
        folder: an existing directory for temporary files.
        threads: number of threads.
        stop: requests to stop.

    Raises:
        ExportError: the export cannot be loaded or run.
        Stopped: the job was asked to stop.
    """
    given, output = folder / "sources.npz", folder / "ids.npz"
    chosen = _write(given, sources)
    run_program(program, [str(files.absolute()), given.name, output.name, str(threads)], folder, stop)
    ids = np.zeros((len(sources.ids), sources.model.facts.columns), np.int32)
    with np.load(output) as found:
        for i, rows in enumerate(chosen):
            ids[rows] = found[f"ids_{i}"]
        return Decoded(ids=ids, seconds=float(found["seconds"]))


def _write(path: Path, sources: Sources) -> list[NDArray[np.intp]]:
    """Write the file that the programs read; return the indices of the sources of each batch."""
    facts, arrays, chosen = sources.model.facts, dict[str, NDArray[np.int32]](), []
    for i, (rows, ids) in enumerate(sources.batches()):
        lengths = (ids != 0).sum(axis=1).tolist()
        arrays[f"source_{i}"] = ids
        arrays[f"limits_{i}"] = np.array([facts.longest_target(length) for length in lengths], np.int32)
        chosen.append(rows)
    numbers = {
        "batches": len(chosen),
        "start": facts.target.start,
        "end": facts.target.end or 0,
        "columns": facts.columns,
    }
    np.savez(path, **arrays, **{name: np.int32(value) for name, value in numbers.items()})  # type: ignore[arg-type]
    return chosen


def run_program(program: str, arguments: Sequence[str], folder: Path, stop: Stop) -> None:
    """Run one of the programs beside this module in a process of its own.

    Args:
        program: its name.
        arguments: its arguments; paths are absolute, or relative to `folder`.
        folder: an existing directory for its output.
        stop: requests to stop.

    Raises:
        ExportError: it fails; with the last line of what it wrote.
        Stopped: the job was asked to stop.
    """
    code = (Path(__file__).parent / f"{program}.py").read_text(encoding="utf-8")
    # As text: a program that is run by its path could import the modules beside it.
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONWARNINGS": "ignore"}
    with _started(command, folder, environment) as (process, log):
        while process.poll() is None:
            stop.check()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        if process.returncode:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = lines[-1] if lines else f"exit code {process.returncode}"
            raise ExportError(f"its runtime could not run it ({last})")


@contextmanager
def _started(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start a process with its output in a file; end it if the block ends before."""
    log = folder / "output.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield process, log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
