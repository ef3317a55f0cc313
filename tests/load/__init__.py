"""The server under attack, overload and restarts; `make test-load` runs this suite."""
