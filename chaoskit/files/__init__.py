"""Experiment files: text in, frozen values out, or every problem of the file at once with its place."""
