"""Problems over short series, and their windows."""

import math

from job.problems import build_problem
from job.spec.time_series_section import TimeSeriesSpec

SQUARES = [float(i * i) for i in range(1, 11)]  # changes 3, 5, 7, ... 19


def spec_of(**fields):
    sizes = {"source_length": 2, "target_length": 2, "test": 3}
    defaults = {"file": "s.csv", "column": "y", "scaling": "none", **sizes}
    return TimeSeriesSpec(kind="time_series", **{**defaults, **fields})


def problem_of(tmp_path, values=SQUARES, seed=7, more=None, **fields):
    """A problem over a file with the columns `t`, `y` and those of `more`."""
    columns = {"t": range(len(values)), "y": values, **(more or {})}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    return build_problem(spec_of(**fields), seed, tmp_path)


def epoch_of(problem, epoch, batch_size):
    """Every window of an epoch: (source column, target), as lists."""
    examples = problem.examples_per_epoch("all")
    windows = []
    for index in range(math.ceil(examples / batch_size)):
        source, target = problem.batch(epoch, index, batch_size, examples)
        windows += zip(source[:, :, 0].tolist(), target[:, :, 0].tolist(), strict=True)
    return windows
