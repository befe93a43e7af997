"""The command `seq2seq-job`: find the package `job` that is installed beside this file, and run it.

A module of its own, since `job` is a name that others use too: another one on `PYTHONPATH` is
refused with a sentence (`shadowing_packages`), and not run in this one's place.
"""

import os
import sys


def main() -> None:
    """Run the command."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from job.process.import_path import leave_working_directory

    del sys.path[0]
    leave_working_directory()
    from job.process.early_signals import leave_on_signals

    leave_on_signals()
    from job.cli.app import main as run

    run()
