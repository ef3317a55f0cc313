"""The four reports computed from a list of records in plain Python, to compare the service with."""
