"""The results table: `python -m faults.table` prints that of all saved long runs."""

import json
from collections.abc import Iterable
from typing import Any

from faults.campaign import RESULTS

COLUMNS = {
    "test": "test",
    "cycles": "cycles",
    "acknowledged": "acknowledged",
    "lost": "lost",
    "duplicated": "duplicated",
    "partial": "partial batches",
    "recovery_median_seconds": "recovery s, median",
    "recovery_max_seconds": "max",
    "seed": "seed",
}


def markdown(rows: Iterable[dict[str, Any]]) -> str:
    """Formats the rows as a Markdown table."""
    lines = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    lines += [[_text(name, row.get(name)) for name in COLUMNS] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)


def saved_rows() -> list[dict[str, Any]]:
    """Returns the rows of the long runs, the latest of each test."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return list({row["test"]: row for row in map(json.loads, lines)}.values())


if __name__ == "__main__":
    print(markdown(saved_rows()))
