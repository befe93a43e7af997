"""`python -m job` is the command `seq2seq-job`."""

from job.import_path import leave_working_directory

if __name__ == "__main__":
    leave_working_directory()
    from job.cli import main

    main()
