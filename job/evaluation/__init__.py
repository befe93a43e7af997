"""Decode a test set and score it: predictions, metrics, error analysis, attention and context vectors.

Start with `token_evaluation.py` or, for numbers, `forecast_evaluation.py`; both return an `Evaluation` (see
`outcome.py`). Decoding itself belongs to `job.decoding` and `job.inference`; gates and comparisons of metrics
belong to `job.gating`.
"""
