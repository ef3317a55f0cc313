"""Attacks on the door of the server, and how it answers; `make test-security` runs them."""
