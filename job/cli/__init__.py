"""The command line: one module for each command.

Several commands share `options` (options and arguments), `terminal_output` (printing), `checked_spec`,
`saved_model` and `finished_batch`. Start with `app`, which registers the commands and has the
one error boundary. The work itself is done in the packages below: nothing here trains, judges or renders.
"""

from job.cli.app import main

__all__ = ["main"]
