"""Tests of `pegcount.metrics`."""
