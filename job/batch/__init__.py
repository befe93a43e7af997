"""Batches of jobs in an output directory: planned, resumed, run, merged, locked and compared with a baseline.

Training and evaluating a single job belongs to `running`, worker processes to `workers`, and the rules by
which results pass or fail to `gating`. Start with `run_batch`, or with `merge` for the command `report`.
"""
