"""Log a finished batch to an experiment tracker: one run for each job, nested under that of the batch.

`run_content.py` decides what a run has, without a tracker. `mlflow_process.py` starts `mlflow_program.py` in
a process of its own after the reports are written; `mlflow_runs.py` writes the runs with MLflow's client.
Nothing here trains, judges or changes a result.
"""
