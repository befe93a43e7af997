"""Run one job: from its `JobSpec` to a `TrainedJob` and the files in its job directory.

Start with `run_job.py`, which calls the stages in order. Training itself is in `job.training`, decoding and
scoring in `job.evaluation`; gates, `result.json` and drawings belong to `job.gating`, `job.batch` and
`job.reports`.
"""
