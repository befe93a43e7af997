"""Saved models in use: loading, prediction and encoding, for token models and for models of numbers.

Layers and architectures belong to `job.models`, search algorithms to `job.decoding`, and metrics to
`job.evaluation`. Start with `loading.py`. `tokens.py` and `numbers.py` run models on arrays,
`token_lines.py` and `number_lines.py` on lines of text; `python_loading.py` is `job.load`.
"""
