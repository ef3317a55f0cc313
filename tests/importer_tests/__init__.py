"""Tests of the importers, one file per module of the package."""
