"""Worker processes: how many there are, how they are started, given jobs and replaced, and what they send.

What a worker does with a job belongs to `running`, and what becomes of its result to `batch`. Start with
`schedule` for the parent process, and with `worker` for the process that loads TensorFlow.
"""
