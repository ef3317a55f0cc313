"""Real Prometheus, restarts and deployments: `make test-operations`."""
