"""buf's curl, which needs the protocol named, as its default is Connect."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import Service

BUF = Path(sys.executable).parent / "buf"
FLAGS = ("curl", "--http2-prior-knowledge", "--protocol", "grpc")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Service(tmp_path_factory.mktemp("store")) as service:
        yield f"http://{service.address}"


def buf_curl(*arguments: str) -> str:
    done = subprocess.run(
        [str(BUF), *FLAGS, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_methods_are_listed(url: str) -> None:
    listed = buf_curl("--list-methods", url).split()
    assert [method for method in listed if method.startswith("pegcount.v1.ReportService/")] == [
        f"pegcount.v1.ReportService/Query{name}"
        for name in ("ActiveSessions", "AsrUsage", "FolderStats", "OriginationQuality")
    ]
    assert "grpc.health.v1.Health/Check" in listed


def test_a_method_is_called_by_reflection(url: str) -> None:
    asked = {"from_time": "2026-03-29", "to_time": "2026-03-30", "granularity": "GRANULARITY_DAY"}
    printed = buf_curl("-d", json.dumps(asked), f"{url}/pegcount.v1.ReportService/QueryAsrUsage")
    answer = json.loads(printed)
    assert answer["range"].pop("generatedAt") == "2026-03-30T12:00:00Z"
    assert answer == {
        "range": {
            "fromTime": "2026-03-29T00:00:00Z",
            "toTime": "2026-03-30T00:00:00Z",
            "timeZone": "UTC",
            "granularity": "GRANULARITY_DAY",
        },
        "bins": [{"startTime": "2026-03-29T00:00:00Z", "sessionCount": "0", "complete": True}],
        "totals": {"sessionCount": "0"},
    }
