"""This job against its peers, side by side in one run: `python -m benchmarks`, or `make bench`.

`shapes` says what is learned, `workload` makes the examples of it once, `programs` learn it, `contenders`
says how each is started, `measuring` what a command costs, `floor` what the work costs at the least, `parts`
what is measured, `comparison` what the figures say against the targets, `report` how that is shown and kept.
PyTorch, JAX and yoyodyne live in an environment of their own, see `peers_environment`.
"""
