"""What a server takes of its machine, sampled every second."""

import re
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import grpc
from pegcount.v1 import admin_pb2, admin_pb2_grpc

MIB = 2**20
_ROWS_OF_TABLE = 15


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a server and its data directory."""

    second: float
    rss_mib: float
    anonymous_mib: float
    """The part of it that is not of mapped files."""
    files: int
    """Open files and sockets."""
    threads: int
    journal_mib: float
    segments: int
    segments_mib: float
    records: int
    active: int


class Sampler:
    """Samples a server until the end of the `with` block."""

    def __init__(self, pid: int, directory: Path, address: str) -> None:
        self.samples: list[Sample] = []
        self._pid = pid
        self._directory = directory
        self._channel = grpc.insecure_channel(address)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def info(self) -> admin_pb2.GetStoreInfoResponse:
        stub = admin_pb2_grpc.AdminServiceStub(self._channel)
        info: admin_pb2.GetStoreInfoResponse = stub.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=20)
        return info

    def set_retention(self, byte_count: int) -> None:
        retention = admin_pb2.Retention(bytes=byte_count)
        request = admin_pb2.SetRetentionRequest(retention=retention)
        admin_pb2_grpc.AdminServiceStub(self._channel).SetRetention(request, timeout=20)

    def __enter__(self) -> "Sampler":
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._channel.close()

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            self.samples.append(self._sample())

    def _sample(self) -> Sample:
        process = Path(f"/proc/{self._pid}")
        status = dict(re.findall(r"^(\w+):\s+(\d+)", (process / "status").read_text(), re.MULTILINE))
        info = self.info()
        return Sample(
            second=time.monotonic() - self._begin,
            rss_mib=int(status["VmRSS"]) / 1024,
            anonymous_mib=int(status["RssAnon"]) / 1024,
            files=sum(1 for _ in (process / "fd").iterdir()),
            threads=int(status["Threads"]),
            journal_mib=_bytes_of(self._directory / "journal") / MIB,
            segments=info.segments,
            segments_mib=info.segment_bytes / MIB,
            records=info.records,
            active=info.active_records,
        )


def slope_per_minute(samples: Sequence[Sample], name: str) -> float:
    """Returns the slope of the least-squares line through a figure, per minute."""
    seconds = [sample.second for sample in samples]
    slope, _ = statistics.linear_regression(seconds, [getattr(sample, name) for sample in samples])
    return slope * 60


def drift(samples: Sequence[Sample], name: str) -> float:
    """Returns by how much the median of the last third exceeds that of the first."""
    third = len(samples) // 3
    first, last = samples[:third], samples[-third:]
    before, after = (
        statistics.median([float(getattr(each, name)) for each in part]) for part in (first, last)
    )
    return after - before


def table(samples: Sequence[Sample]) -> str:
    """Returns lines of text for some of the samples, evenly spaced."""
    names = [each.name for each in fields(Sample)]
    lines = ["".join(f"{name:>15}" for name in names)]
    for sample in samples[:: max(1, len(samples) // _ROWS_OF_TABLE)]:
        lines.append(
            "".join(
                f"{value:>15,.1f}" if isinstance(value, float) else f"{value:>15,}"
                for value in astuple(sample)
            )
        )
    return "\n".join(lines)


def _bytes_of(directory: Path) -> int:
    total = 0
    for path in directory.glob("*"):
        # A flush may remove it meanwhile.
        total += path.stat().st_size if path.exists() else 0
    return total
