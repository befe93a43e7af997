"""Loading of the libraries that draw pictures and pages, at a moment when nothing waits for them."""

from __future__ import annotations


def load_renderers() -> None:
    """Import the modules that need matplotlib, which takes a second, and Jinja2, which takes a tenth."""
    import job.reports.html
    import job.reports.plots  # noqa: F401
