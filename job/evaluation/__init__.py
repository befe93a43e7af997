"""Decode a test set and score it."""
