"""Programs that train and use one model each, and print what that took as one line of JSON, the last.

Started as `python -m benchmarks.programs.NAME DIRECTORY`, with a directory that `benchmarks.workload` wrote.
All but `fused` import nothing of `job`, and `pytorch` and `jax_scan` run in an environment of their own.
"""
