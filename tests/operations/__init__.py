"""What operators install and watch; `make test-operations` runs it."""
