"""Executes the notebook over the samples; as a program, writes its outputs anew.

cd tests && ../.venv/bin/python -m notebook.execution
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from documented_calls import ROOT
from nbclient import NotebookClient
from sample_service import service_over_samples

NOTEBOOK = ROOT / "examples" / "notebook" / "reports.ipynb"
TIMEOUT_SECONDS = 120

Notebook = Any
Cell = Any
"""nbformat has no types."""


def cells_of(notebook: Notebook) -> list[Cell]:
    """Returns the cells that have code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed_notebook(address: str) -> Notebook:
    """Returns the notebook as a fresh execution leaves it; raises the error of a cell that fails."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in cells_of(notebook):
        cell.outputs = []
    # The times of cells and the version of Python would differ from run to run.
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, record_timing=False)
    client.execute(env={**os.environ, "PEGCOUNT_ADDRESS": address})
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def main() -> None:
    """Writes the outputs of a fresh execution into the notebook."""
    with tempfile.TemporaryDirectory() as directory, service_over_samples(Path(directory)) as service:
        notebook = executed_notebook(service.address)
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
