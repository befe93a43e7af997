"""Time series problems from a file that a test writes."""

from job.problems import build_problem
from job.spec.time_series_section import TimeSeriesSpec

SQUARES = [float(i * i) for i in range(1, 11)]  # the changes are 3, 5, 7, ... 19


def spec_of(**fields):
    sizes = {"source_length": 2, "target_length": 2, "test": 3}
    defaults = {"file": "s.csv", "column": "y", "scaling": "none", **sizes}
    return TimeSeriesSpec(kind="time_series", **{**defaults, **fields})


def problem_of(tmp_path, values=SQUARES, seed=7, more=None, **fields):
    """Build a problem from a file with the columns `t`, `y` and those of `more`."""
    columns = {"t": range(len(values)), "y": values, **(more or {})}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    return build_problem(spec_of(**fields), seed, tmp_path)
