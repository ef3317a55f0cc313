"""Load from ghz, which `make bench-rpc` installs."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import descriptor_pb2
from pegcount.v1 import reports_pb2

SECONDS_MAX = 300
_DESCRIPTORS = Path(reports_pb2.__file__).with_name("descriptors.binpb")


@dataclass(frozen=True, slots=True)
class Load:
    """What callers saw who each asked again as soon as they were answered."""

    p50_ms: float
    p99_ms: float
    requests_per_second: float


class Ghz:
    """Sends one request over and over."""

    def __init__(self, binary: Path, method: str, scratch: Path) -> None:
        """`method` is `package.Service/Method`."""
        self._binary = binary
        self._method = method
        self._descriptors = scratch / "descriptors.binpb"
        self._descriptors.write_bytes(_without_fields_of_answers())
        self._request = scratch / "request.binpb"

    def load(self, address: str, request: bytes, callers: int, count: int) -> Load:
        """Sends `count` requests from `callers` at once; every one must be answered."""
        self._request.write_bytes(request)
        command = [
            *(str(self._binary), "--insecure", f"--protoset={self._descriptors}", f"--call={self._method}"),
            *(f"--binary-file={self._request}", f"--concurrency={callers}", f"--total={count}"),
            *("--format=json", f"--max-recv-message-size={64 * 2**20}", address),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS_MAX)
        report = json.loads(done.stdout)
        assert report["statusCodeDistribution"] == {"OK": count}, report["statusCodeDistribution"]
        waits_ms = {at["percentage"]: at["latency"] / 1e6 for at in report["latencyDistribution"]}
        return Load(waits_ms[50], waits_ms[99], report["rps"])


def _without_fields_of_answers() -> bytes:
    """The service, with answers of which ghz knows no field.

    It would parse each into a message of reflection, which takes many times as long as making it, on the
    same cores; so it takes the bytes in and leaves them be.
    """
    described = descriptor_pb2.FileDescriptorSet.FromString(_DESCRIPTORS.read_bytes())
    for file in described.file:
        for message in file.message_type:
            if message.name.endswith("Response"):
                message.CopyFrom(descriptor_pb2.DescriptorProto(name=message.name))
    return described.SerializeToString()
