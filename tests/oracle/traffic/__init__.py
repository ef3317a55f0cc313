"""Answers the traffic question in plain Python, by the definitions of docs/semantics.md."""
