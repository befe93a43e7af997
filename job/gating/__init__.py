"""Judge results: gates, comparison with a baseline, summaries over seeds, and the verdict on a batch.

Training, running and rendering reports do not belong here; nothing in this package imports TensorFlow. Start
with `gates` (one job and its thresholds), `comparison` (a batch and its baseline) and `batch_verdict` (the
exit code and its reasons).
"""
