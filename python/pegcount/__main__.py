"""`python -m pegcount`."""

from pegcount.cli import app

app()
