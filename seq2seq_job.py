"""The command `seq2seq-job`: run the package `job` that is installed next to this file.

Other packages may be named `job` too. If `PYTHONPATH` contains one, the command ends with an error
(see `job.process.import_path.shadowing_packages`) instead of running it.
"""

import os
import sys


def main() -> None:
    """Run the command."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from job.process.import_path import remove_working_directory

    del sys.path[0]
    remove_working_directory()
    from job.process.early_signals import exit_on_signals

    exit_on_signals()
    from job.cli.app import main as run

    run()
