"""`python -m job` is the command `seq2seq-job`."""

from job.process.import_path import leave_working_directory

if __name__ == "__main__":
    leave_working_directory()
    from job.process.early_signals import leave_on_signals

    leave_on_signals()
    from job.cli.app import main

    main()
