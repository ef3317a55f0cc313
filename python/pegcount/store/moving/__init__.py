"""Moves a whole store: an archive has its records with all their versions, and its settings."""
