"""Keras layers and their assembly; knows no problem and no file."""
