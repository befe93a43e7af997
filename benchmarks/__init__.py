"""This job against its peers, side by side in one run: `python -m benchmarks`, or `make bench`.

`shapes` says what is learned, `contenders` who learns it and how each is started, `measuring` what a command
costs, `comparison` what the figures say against the targets, `report` how that is shown and kept. A peer is a
program of its own that prints one line of JSON and imports nothing of `job`.
"""
