"""Train one model: the compiled loop, optimizers, objectives, validation, early stopping and checkpoints.

Start with `fit.py`, which runs the epochs. Building models belongs to `job.models`, decoding and scoring to
`job.evaluation`, and everything about jobs and their files to `job.running`.
"""
