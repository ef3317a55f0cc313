"""Load from ghz, which `make bench-rpc` installs."""

import json
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from google.protobuf import descriptor_pb2

SECONDS_MAX = 300
_CONTRACT = files("pegcount.server").joinpath("contract.binpb")


@dataclass(frozen=True, slots=True)
class Load:
    """Latency and throughput of callers that each send the next request as soon as they have an answer."""

    p50_ms: float
    p99_ms: float
    requests_per_second: float


class Ghz:
    """Sends one request repeatedly."""

    def __init__(self, binary: Path, method: str, scratch: Path) -> None:
        """`method` is `package.Service/Method`."""
        self._binary = binary
        self._method = method
        self._descriptors = scratch / "descriptors.binpb"
        self._descriptors.write_bytes(_descriptors_without_response_fields())
        self._request = scratch / "request.binpb"

    def load(self, address: str, request: bytes, callers: int, count: int) -> Load:
        """Sends `count` requests from `callers` concurrent callers and asserts that every one succeeds."""
        self._request.write_bytes(request)
        command = [
            *(str(self._binary), "--insecure", f"--protoset={self._descriptors}", f"--call={self._method}"),
            *(f"--binary-file={self._request}", f"--concurrency={callers}", f"--total={count}"),
            *("--format=json", f"--max-recv-message-size={64 * 2**20}", address),
        ]
        process = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS_MAX)
        report = json.loads(process.stdout)
        assert report["statusCodeDistribution"] == {"OK": count}, report["statusCodeDistribution"]
        waits_ms = {at["percentage"]: at["latency"] / 1e6 for at in report["latencyDistribution"]}
        return Load(waits_ms[50], waits_ms[99], report["rps"])


def _descriptors_without_response_fields() -> bytes:
    """Returns the service description with response messages stripped of their fields.

    ghz would decode each answer with reflection, which takes many times the CPU time of producing it, on the
    same cores. Without fields, it skips the bytes.
    """
    described = descriptor_pb2.FileDescriptorSet.FromString(_CONTRACT.read_bytes())
    for file in described.file:
        for message in file.message_type:
            if message.name.endswith("Response"):
                message.CopyFrom(descriptor_pb2.DescriptorProto(name=message.name))
    return described.SerializeToString()
