"""Tests of `pegcount.request`."""
