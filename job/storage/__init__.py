"""The paths of an output directory, atomic writes, moves between file systems, and reading untrusted files.

Nothing here knows what a job, a result or a model is. Start with `artifacts`.
"""
