"""The library that has the ClickHouse server: that of `make clickhouse`, or another one."""

import os
import platform
from pathlib import Path

import pytest

VARIABLE = "PEGCOUNT_LIBCHDB"
"""Names another libchdb.so."""

INSTALLED = Path(__file__).parent.parent.parent / ".cache" / "clickhouse"
"""Where `make clickhouse` installs the package, or writes why it could not, into the file `missing`."""


def library_path() -> Path:
    """Returns the path of libchdb.so; skips the test if it is missing, and says why."""
    if named := os.environ.get(VARIABLE):
        assert Path(named).is_file(), f"{VARIABLE}={named} is not a file"
        return Path(named)
    installed = INSTALLED / "node_modules" / "@chdb" / "lib-linux-x64-gnu" / "libchdb.so"
    if installed.is_file():
        return installed
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("NOT TESTED: ClickHouse, whose package is for Linux on x86-64")
    reason = INSTALLED / "missing"
    why = reason.read_text(encoding="utf-8").strip() if reason.is_file() else "run make clickhouse"
    return pytest.skip(f"NOT TESTED: ClickHouse is missing: {why}")
