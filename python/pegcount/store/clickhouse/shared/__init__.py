"""What all servers of a cluster share beside the records: the change log, and what is in it."""
