"""The server of `program`: imports the command line of `pegcount` once, and forks a process per command.

    python program_forks.py DESCRIPTOR

Reads orders from the socket DESCRIPTOR, until its other end is closed.
"""

import gc
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

_ORDER_BYTES_MAX = 1_000_000


def become_a_program(control: socket.socket) -> None:
    """Returns in the process of each command, and ends this one when no more orders can come."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _ORDER_BYTES_MAX, 3)
        if not message:
            sys.exit()
        *outputs, ended = descriptors
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _fork_and_tell(json.loads(message), outputs, ended)
            return
        for each in descriptors:
            os.close(each)


def _fork_and_tell(order: dict[str, Any], outputs: list[int], ended: int) -> None:
    """Returns in the process of the command; this one tells its process id and its exit status."""
    program = os.fork()
    if program == 0:
        os.close(ended)
        _prepare(order, outputs)
        return
    os.write(ended, f"{program}\n".encode())
    for each in (*outputs, 1, 2):
        os.close(each)
    _, status = os.waitpid(program, 0)
    os.write(ended, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _prepare(order: dict[str, Any], outputs: list[int]) -> None:
    """Gives this process the outputs, the directory, the environment and the arguments of the command."""
    for target, each in enumerate(outputs, 1):
        os.dup2(each, target)
        os.close(each)
    os.chdir(order["cwd"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    sys.argv[:] = order["arguments"]


if __name__ == "__main__":
    del sys.path[0]  # Modules of the tests must not hide those of others.
    from pegcount.cli import main

    # What only a command imports is there for the next ones.
    sys.argv[1:], control = ["info", "--help"], socket.socket(fileno=int(sys.argv[1]))
    with suppress(SystemExit):
        main()
    # A collection would write to what all of them share, and so copy it.
    gc.freeze()
    # Nobody waits for those that tell of an end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    become_a_program(control)
    main()
