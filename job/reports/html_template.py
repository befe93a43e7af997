"""Templates of the HTML pages: their engine, which escapes text from outside, and what templates may use."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from job.metrics import METRICS
from job.reports import content, escaping, formatting
from job.reports.comparison_content import comparison_cells, sorted_comparisons
from job.reports.html_pictures import SPARKLINE_HEIGHT, SPARKLINE_WIDTH
from job.reports.html_samples import changed_prediction
from job.reports.what_changed import comparison_changes


def _lines(text: str) -> Markup:
    return escape(escaping.html_lines(text))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("job.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escaping.html,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "METRICS": METRICS,
        "SPARKLINE_HEIGHT": SPARKLINE_HEIGHT,
        "SPARKLINE_WIDTH": SPARKLINE_WIDTH,
        "changed_prediction": changed_prediction,
        "comparison_cells": comparison_cells,
        "content": content,
        "comparison_changes": comparison_changes,
        "percent": formatting.percent,
        "plain": formatting.plain,
        "quantity": formatting.quantity,
        "sorted_comparisons": sorted_comparisons,
    }
    environment.filters |= {"lines": _lines, "shortened": escaping.shortened, "path": escaping.url_path}
    return environment


template = _environment().get_template
"""Return a page's template by its name."""
