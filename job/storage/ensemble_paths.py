"""The files of an ensemble, in `ensembles/NAME` of an output directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from job.storage.artifacts import OutputPaths


@dataclass(frozen=True)
class EnsemblePaths:
    """The files of one ensemble, all inside `directory`."""

    directory: Path

    @property
    def models(self) -> Path:
        """`ensemble.json`: the models that decode together."""
        return self.directory / "ensemble.json"

    @property
    def predictions(self) -> Path:
        """Predictions: one JSON object a line for every test example, as in a job directory."""
        return self.directory / "predictions.jsonl"

    @property
    def result(self) -> Path:
        """`result.json`, written last: an ensemble that has one is complete."""
        return self.directory / "result.json"

    @property
    def log(self) -> Path:
        """Output of the process that decoded."""
        return self.directory / "ensemble.log"

    @property
    def lock(self) -> Path:
        """The file that one process at a time locks to compute the ensemble."""
        return self.directory.with_name(f".lock-{self.directory.name}")

    @property
    def parts(self) -> Path:
        """The directory of decoded parts, while several processes compute the ensemble together."""
        return self.directory.with_name(f".parts-{self.directory.name}")


def ensemble_paths(output: OutputPaths, name: str) -> EnsemblePaths:
    """Return the paths of an ensemble; `name` must be a valid job name."""
    return EnsemblePaths(output.root / "ensembles" / name)
