"""Tests of `pegcount.store`."""
