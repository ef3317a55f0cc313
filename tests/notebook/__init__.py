"""Executes the example notebook over the samples."""
