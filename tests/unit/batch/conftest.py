"""Plans and batches over finished jobs."""

from finished_jobs import batch, plan  # noqa: F401 - fixtures
