"""Worker processes: their number, start, tasks, messages and replacement.

Training and evaluating a job belongs to `running`, and handling its result to `batch`. Start with
`schedule.py` for the parent process, and with `worker.py` for the process that loads TensorFlow.
"""
