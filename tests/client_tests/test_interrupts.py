"""Ctrl-C in programs that write: they end soon, whatever it interrupts."""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import seeds
from service import Service

PROGRAM_COUNT = 10
SECONDS_MAX = 20.0
"""Seconds after which a program hangs; it ends in far fewer unless the machine is busy."""

PROGRAM = """
import signal, sys
from datetime import UTC, datetime
from pegcount_client import Client, Record

is_interrupted = False

def interrupt(*_):
    # Python ignores an error that is raised while it deletes an object.
    global is_interrupted
    is_interrupted = True
    raise KeyboardInterrupt

# What Ctrl-C does, at a time that the program sets itself.
signal.signal(signal.SIGALRM, interrupt)
setup = datetime(2026, 3, 29, 8, tzinfo=UTC)
with Client(sys.argv[1]) as client, client.write_records(batch_record_max=2) as writer:
    writer.write(Record(session_id="s", setup_time=setup))
    writer.flush()
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
    while not is_interrupted:
        writer.write(Record(session_id="s", setup_time=setup))
"""


def test_programs_that_write_end_after_an_interrupt(tmp_path: Path) -> None:
    chance = seeds.chance("interrupts")
    with Service(tmp_path) as service, ExitStack() as stack:
        programs = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, service.address, str(chance.uniform(0.005, 0.3))],
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(PROGRAM_COUNT)
        ]
        for program in programs:
            # Before the stack, which would wait for ever for one that hangs.
            stack.callback(program.kill)
        for program in programs:
            told = program.communicate(timeout=SECONDS_MAX)[1]
            assert program.returncode in (0, -signal.SIGINT), told
