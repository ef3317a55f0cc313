"""Fuzzing guided by coverage.

`targets.py` lists what takes any bytes, and `__main__.py` searches for bytes that fail.
"""
