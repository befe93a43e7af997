"""`python -m job` is the command `seq2seq-job`."""

from job.process.import_path import remove_working_directory

if __name__ == "__main__":
    remove_working_directory()
    from job.process.early_signals import exit_on_signals

    exit_on_signals()
    from job.cli.app import main

    main()
