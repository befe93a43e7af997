"""Tasks, and workers without TensorFlow."""

from worker_fixtures import make_task, output, stand_in  # noqa: F401 - fixtures
