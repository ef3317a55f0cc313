"""The benches run, small, so that they cannot rot; they assert their answers themselves."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_bench_of_the_reports_runs() -> None:
    command = [sys.executable, "benches/reports.py", "2000"]
    printed = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert printed.count("median") == 4
