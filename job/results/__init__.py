"""The records that a job, a batch and a comparison leave."""
