"""Tests of `pegcount.server`."""
