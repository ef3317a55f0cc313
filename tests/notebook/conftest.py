"""Running these tests without Jupyter is an error rather than a skip."""

import pytest

try:
    import ipykernel  # noqa: F401
    import matplotlib  # noqa: F401
    import nbclient  # noqa: F401
except ImportError as missing:
    raise pytest.UsageError(
        f"{missing}: pip install --require-hashes -r requirements/notebook.txt, or make test-notebook"
    ) from missing
