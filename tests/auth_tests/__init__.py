"""Tests of `pegcount.auth`."""
