"""Search for a target over a step function."""
