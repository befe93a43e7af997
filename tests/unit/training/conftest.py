"""Training without compiling."""

import pytest
import tensorflow as tf


@pytest.fixture
def eagerly():
    """Without compiling: what is computed is the same, and for runs of a few steps compiling does not pay."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
