"""From `jobs.yaml` to validated, resolved jobs: the schema, defaults, matrix, seeds, and fingerprints.

Nothing here builds a problem, imports TensorFlow, or reads a data file except for its checksum. Start with
`schema.JobSpec`, one resolved job, then `spec_loading.load_located`, which makes it; each section of a job
has a module `*_section`.
"""
