"""Builds all packages and tries each in environments of its own; `make test-packages` runs it."""
