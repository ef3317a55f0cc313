"""A client of Pegcount, a service for telephone-traffic reports from call records."""
