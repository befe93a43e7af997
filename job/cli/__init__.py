"""The command line: one module for each command, and the one error boundary in `app`."""

from job.cli.app import main

__all__ = ["main"]
