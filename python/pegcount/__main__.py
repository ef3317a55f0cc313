"""Runs the command line as `python -m pegcount`."""

from pegcount.cli import main

main()
