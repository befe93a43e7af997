"""An output directory."""

from worker_fixtures import make_task, output, stand_in  # noqa: F401 - fixtures
