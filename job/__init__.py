"""Train and evaluate encoder-decoder models in batches.

Importing this package costs nothing: TensorFlow is loaded by the worker processes that train, never by
the command that starts them.
"""

__version__ = "0.2.0"
