"""Loading of the modules that write pages, at a moment when nothing waits for them."""

from __future__ import annotations


def load_renderers() -> None:
    """Import the modules that need Jinja2, which takes a tenth of a second."""
    import job.reports.html  # noqa: F401
