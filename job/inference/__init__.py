"""Saved models in use: loading, prediction and encoding, for token models and for models of numbers.

Layers and architectures belong to `job.models`, search algorithms to `job.decoding`, and metrics to
`job.evaluation`. Start with `loading.py`, then `tokens.py` or `numbers.py`.
"""
