"""Log a batch to an experiment tracker: one run for each job, nested under that of the batch.

`run_content.py` decides what a run has, without a tracker. While the batch runs, `live_process.py` has
`live_program.py` follow it in a process of its own, which sends points as they are made (`live_runs.py`).
After the reports are written, `mlflow_process.py` starts `mlflow_program.py`; `mlflow_runs.py` completes the
runs with MLflow's client. Nothing here trains, judges or changes a result.
"""
