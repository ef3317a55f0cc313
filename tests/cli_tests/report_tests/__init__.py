"""`pegcount report`."""
