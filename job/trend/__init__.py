"""The reports of many runs -> how each metric went over time, and where it changed."""
