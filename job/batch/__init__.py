"""Many jobs: worker processes, and what is already done."""
