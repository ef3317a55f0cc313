"""Tests of the import, one file for each file of the package."""
