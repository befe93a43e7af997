"""`jobs.yaml` -> validated, expanded jobs. Knows nothing of TensorFlow."""
