"""Gates, statistics and comparisons."""
