"""Check that the packages which a job's `export` needs are installed, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from job.errors import Complaint
from job.process.installed_versions import installed
from job.results.export_result import ExportFormat
from job.spec.spec_loading import LocatedSpec

_ONNX = ("tf2onnx", "onnx", "onnxruntime")

PACKAGES: dict[ExportFormat, tuple[str, ...]] = {
    "saved_model": (),  # TensorFlow has everything
    "onnx": _ONNX,
    "onnx_int8": _ONNX,
}
"""The packages that a format needs beside those of every job."""


def missing_packages(located: LocatedSpec) -> Iterator[Complaint]:
    """Yield a complaint for each export that needs a package that is not installed."""
    for job in located.spec.jobs:
        for i, name in enumerate(job.export):
            lacking = [package for package in PACKAGES[name] if installed(package) is None]
            if lacking:
                message = (
                    f"{name} needs {_listed(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not "
                    f'installed; run: pip install "seq2seq-job[export]"'
                )
                yield located.complaint(job.name, f"export[{i}]", message)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
