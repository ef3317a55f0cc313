"""Runs a ClickHouse server until its standard input ends: then nothing of it is left, however the test ended.

    python chserver.py LIBRARY DIRECTORY DATA HTTP_PORT TCP_PORT

LIBRARY exports `clickhouse local`, which serves HTTP while a query of its own waits: here for a pipe that
nobody writes. DIRECTORY has config.xml, and gets the logs. The first line of the output is the process id of
the server itself, which tests may kill or stop; this process then waits for its end. It removes DATA, the
directory of the data, unless the input ends with the line "keep".
"""

import ctypes
import os
import select
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def main(library: str, directory: Path, data: Path, ports: Sequence[str]) -> None:
    """Starts the server, and kills it at the end of the input, also if it is stopped."""
    guard = os.getpid()
    server = os.fork()
    if server == 0:
        _serve(library, directory, data, ports, guard)
    print(server, flush=True)
    ended = os.pidfd_open(server)
    select.select([sys.stdin, ended], [], [])
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)
    if sys.stdin.read() != "keep\n":
        shutil.rmtree(data, ignore_errors=True)


def _serve(library: str, directory: Path, data: Path, ports: Sequence[str], guard: int) -> None:
    """Becomes the server, which ends when the process `guard` does."""
    # A process group of its own: Ctrl+C is for pytest, which ends the server afterwards.
    os.setpgid(0, 0)
    clib = ctypes.CDLL(None)
    clib.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)
    log = os.open(directory / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    hold = directory / "hold"
    hold.unlink(missing_ok=True)
    os.mkfifo(hold, 0o600)
    # With a relative path, fsync_part_directory=1 fails every insert with the code 107.
    options = (
        "clickhouse",
        f"--config-file={directory}/config.xml",
        f"--path={data}/",
        "--listen_host=127.0.0.1",
        f"--http_port={ports[0]}",
        f"--tcp_port={ports[1]}",
        f"--query=SYSTEM START LISTEN QUERIES ALL; SELECT x FROM file('{hold}', 'LineAsString', 'x String')",
    )
    arguments = (ctypes.c_char_p * (len(options) + 1))(*(each.encode() for each in options), None)
    run = ctypes.CDLL(library).chdb_query_cmdline
    run.restype = ctypes.c_void_p
    run.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    run(len(options), arguments)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).absolute(), Path(sys.argv[3]).absolute(), sys.argv[4:])
