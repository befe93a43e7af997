"""The records that a job, a batch and a comparison leave, and their JSON.

Frozen dataclasses without behaviour: `running`, `gating` and `batch` make them, and `reports` shows them.
Their docstrings are the descriptions of the JSON Schema. Start with `job_result`, then `batch_report`.
"""
