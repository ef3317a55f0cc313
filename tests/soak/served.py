"""A server that seals and compacts often, so that a soak sees many rounds: `python -m soak.served DIRECTORY
SEAL_SECONDS`."""

import logging
import sys
from pathlib import Path

from faults.served import serve
from pegcount.config import Config


def main(directory: str, seal_seconds: str) -> None:
    """Serves until SIGTERM arrives."""
    logging.basicConfig(level=logging.WARNING)
    serve(Path(directory), Config(seal_age_seconds=float(seal_seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
