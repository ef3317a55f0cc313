"""Sends the requests of a file, lines of a method and JSON, and prints the answers as lines of JSON.

python answers.py HOST:PORT REQUESTS
"""

import sys
from pathlib import Path

import grpc
from google.protobuf import json_format
from pegcount.v1 import reports_pb2, reports_pb2_grpc

TIMEOUT_SECONDS = 30
OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


def main(address: str, requests: str) -> None:
    with grpc.insecure_channel(address, OPTIONS) as channel:
        reports = reports_pb2_grpc.ReportServiceStub(channel)
        for line in Path(requests).read_text(encoding="utf-8").splitlines():
            method, _, request_json = line.partition(" ")
            request = json_format.Parse(request_json, getattr(reports_pb2, f"{method}Request")())
            answer = getattr(reports, method)(request, timeout=TIMEOUT_SECONDS)
            print(json_format.MessageToJson(answer, indent=None))


main(*sys.argv[1:])
