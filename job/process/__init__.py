"""This process: environment, signals, memory."""
