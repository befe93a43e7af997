"""Read the reports of many runs and show how each metric moved, where it changed, and the first bad run.

Start with `runs.py`, which reads the reports, and `metric_series.py`; `trend_verdict.py` judges the trend.
The report of a single run is written in `job.reports`, and two batches are compared in `job.gating`.
"""
