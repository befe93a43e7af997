"""Check that the packages which a job's `export` needs are installed, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from job.errors import Complaint
from job.process.installed_versions import installed
from job.results.export_result import ExportFormat
from job.spec.spec_loading import LocatedSpec

PACKAGES: dict[ExportFormat, tuple[str, ...]] = {
    "saved_model": (),  # TensorFlow has everything
    "onnx": ("tf2onnx", "onnx", "onnxruntime"),
}
"""The packages that a format needs beside those of every job."""


def missing_packages(located: LocatedSpec) -> Iterator[Complaint]:
    """Yield a complaint for each export that needs a package that is not installed."""
    for job in located.spec.jobs:
        for i, name in enumerate(job.export):
            lacking = [package for package in PACKAGES[name] if installed(package) is None]
            if lacking:
                message = (
                    f"{name} needs {' and '.join(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not "
                    f'installed; run: pip install "seq2seq-job[export]"'
                )
                yield located.complaint(job.name, f"export[{i}]", message)
