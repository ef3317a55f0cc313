"""A server with canned answers, which measures the cost of gRPC alone for comparison with `pegcount serve`.

benches/canned_server.py ANSWER...   files, each with the bytes of one answer to QueryOriginationQuality

It reads and answers calls with gRPC's event loop, as the real server does, without limits or accounts. A
request gets the answer with its granularity.
"""

import asyncio
import sys
from pathlib import Path

import grpc
from pegcount.config import Config
from pegcount.server.listening import bind, options
from pegcount.v1 import reports_pb2

SERVICE = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name
Request, Response = reports_pb2.QueryOriginationQualityRequest, reports_pb2.QueryOriginationQualityResponse


def main() -> None:
    """Serves until the process is terminated."""
    contents = [Path(name).read_bytes() for name in sys.argv[1:]]
    asyncio.run(serve({Response.FromString(content).range.granularity: content for content in contents}))


async def serve(answers: dict[int, bytes]) -> None:
    """Answers each request with the canned answer of its granularity."""

    async def query(data: bytes, _: object) -> bytes:
        return answers[Request.FromString(data).sampling]

    server = grpc.aio.server(options=options(Config()))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(query)
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"QueryOriginationQuality": handler})
    server.add_generic_rpc_handlers((handlers,))
    port = bind(server, "127.0.0.1:0")
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    main()
