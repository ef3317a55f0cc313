"""Real ClickHouse servers on this machine, which tests may kill, freeze and start again."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

from waiting import wait_until

from clickhouse.library import library_path

_PORTS = range(20_000, 32_000)
"""Below those of outgoing connections, so that a server that starts again finds its own still free."""
_next_ports: Iterator[int] = cycle([*_PORTS[os.getpid() * 97 % len(_PORTS) :], *_PORTS])
"""From a place of its own in each process, so that few ask for the same."""
_PORT_ATTEMPT_COUNT = 100
_ATTEMPT_COUNT = 5
_ESTABLISHED = "01"
_READY_SECONDS_MAX = 60.0
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the data are: nothing here cuts the power, so that their way to a disk would only take time."""
_CONFIG = """<clickhouse>
<logger><level>{level}</level><log>{directory}/log</log><errorlog>{directory}/errors</errorlog></logger>
<listen_host>127.0.0.1</listen_host>
<path>{data}/</path>
<users_config>{directory}/users.xml</users_config>
<mark_cache_size>67108864</mark_cache_size>
<max_server_memory_usage>{memory}</max_server_memory_usage>
<macros><rig>{rig}</rig></macros>
</clickhouse>
"""
_USERS = """<clickhouse>
<profiles><default><log_queries>0</log_queries>{plain}</default><operated>{profile}</operated></profiles>
<users>
<default>
<password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota><access_management>1</access_management>
</default>
<operated>
<password></password><networks><ip>127.0.0.1</ip></networks>
<profile>operated</profile><quota>default</quota>
</operated>
</users>
<quotas><default/></quotas>
</clickhouse>
"""


LONG = os.environ.get("PEGCOUNT_CLICKHOUSE_LONG") == "1"
_COMPILERS = ("compile_expressions", "compile_aggregate_expressions", "compile_sort_description")
_PLAIN = {} if LONG else dict.fromkeys(_COMPILERS, 0)
"""Settings by which a server computes without machine code of its own, which takes each new one a second of
the processors to compile. `make test-clickhouse` has it."""


class Server:
    """A server with a port and a directory of its own: both stay the same when it starts again."""

    def __init__(
        self,
        directory: Path,
        library: Path,
        memory_bytes: int = 4_000_000_000,
        profile: Mapping[str, str | int] | None = None,
        data: Path | None = None,
    ) -> None:
        """`profile` has the settings of every request of the user `operated`; `data` has what it stores."""
        self.port = 0
        """That of HTTP on 127.0.0.1."""
        self.pid = 0
        self._directory = directory.absolute()
        self.data = data or Path(tempfile.mkdtemp(prefix="pegcount-clickhouse-", dir=_MEMORY))
        """Goes when the server is stopped for good, or pytest ends without that."""
        self._library = library
        self._guard: subprocess.Popen[str] | None = None
        self._name = f"{os.getpid()} {directory.absolute()}"
        directory.mkdir(parents=True)
        config = _CONFIG.format(
            directory=self._directory, data=self.data, level="warning", memory=memory_bytes, rig=self._name
        )
        (directory / "config.xml").write_text(config, encoding="utf-8")
        users = _USERS.format(profile=_elements(profile or {}), plain=_elements(_PLAIN))
        (directory / "users.xml").write_text(users, encoding="utf-8")

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts the server, and waits until it answers; one that was started before has all that it had."""
        assert self._guard is None, "the server is running"
        for _ in range(_ATTEMPT_COUNT):
            ports = (self.port, _free_port()) if self.port else (_free_port(), _free_port())
            if self._started(*ports):
                self.port = ports[0]
                return
        raise AssertionError(f"the server does not start:\n{self.log()}")

    def kill(self) -> None:
        """Does what kill -9 does, and waits for the end of the process."""
        if self.is_running():
            os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def freeze(self) -> None:
        """Stops the process where it is: its connections stay open, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(self._is_frozen, "the stop of all threads")

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kills the server and starts it again."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Ends the server, as `kill` does; its data stay. Does nothing if it is not running."""
        if self._guard is not None:
            self._guard.communicate("keep\n", timeout=_READY_SECONDS_MAX)
            self._guard, self.pid = None, 0

    def unread_bytes(self) -> int:
        """Returns how many bytes have arrived at the port that the server has not read."""
        lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        found = (line.split() for line in lines)
        return sum(
            int(queues.partition(":")[2], 16)
            for _, local, _, state, queues, *_ in found
            if local.endswith(f":{self.port:04X}") and state == _ESTABLISHED
        )

    def is_running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._guard is not None and Path(f"/proc/{self.pid}").exists()

    def ask(self, statement: str, seconds_max: float = 60.0, **settings: str | int) -> str:
        """Runs a statement, and returns its answer, tab-separated; fails with what the server says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds_max)
        try:
            path = "/?" + urlencode({"async_insert": 0, "wait_end_of_query": 1, **settings})
            connection.request("POST", path, statement.encode())
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        assert response.status == 200, text
        return text

    def log(self) -> str:
        """Returns the end of what the server has logged, for messages of tests."""
        texts = []
        for name in ("output", "errors"):
            path = self._directory / name
            if path.is_file():
                texts.append(path.read_text(encoding="utf-8", errors="replace")[-4_000:])
        return "\n".join(texts)

    def remove_data(self) -> None:
        """Removes the data of a server that was stopped; its logs stay."""
        assert self._guard is None, "the server is running"
        shutil.rmtree(self.data)

    def _started(self, http_port: int, tcp_port: int) -> bool:
        program = Path(__file__).parent / "chserver.py"
        ports = [str(http_port), str(tcp_port)]
        places = map(str, (self._library, self._directory, self.data))
        command = [sys.executable, str(program), *places, *ports]
        guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert guard.stdout is not None
        self._guard, self.pid = guard, int(guard.stdout.readline())
        wait_until(
            lambda: not self.is_running() or self._answers(http_port),
            "an answer of the server",
            _READY_SECONDS_MAX,
            0.02,
        )
        if self.is_running():
            return True
        self.stop()
        return False

    def _is_frozen(self) -> bool:
        """Whether all threads have stopped: the signal reaches one after the other."""
        states = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(state.read_text(encoding="utf-8").rpartition(") ")[2][0] == "T" for state in states)

    def _answers(self, http_port: int) -> bool:
        """Whether the server at a port is this one: another program may have taken it meanwhile."""
        connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=1)
        try:
            connection.request("POST", "/", b"SELECT getMacro('rig')")
            return connection.getresponse().read().decode().strip() == self._name
        except (OSError, http.client.HTTPException, UnicodeDecodeError):
            return False
        finally:
            connection.close()


class Rig:
    """The servers of a cluster, one per shard."""

    def __init__(
        self,
        directory: Path,
        shard_count: int = 2,
        memory_bytes: int = 4_000_000_000,
        profile: Mapping[str, str | int] | None = None,
        last_data: Path | None = None,
    ) -> None:
        """`last_data` is an empty directory for the data of the last shard, by default one in memory."""
        library = library_path()
        self.servers = [
            Server(directory / f"shard-{number}", library, memory_bytes, profile, data)
            for number, data in enumerate([*[None] * (shard_count - 1), last_data], 1)
        ]

    def __enter__(self) -> "Rig":
        for server in self.servers:
            server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for server in self.servers:
            server.stop()
            server.remove_data()

    def url(self, database: str) -> str:
        """Returns the address of a database of the cluster, as `--store` takes it."""
        return f"clickhouse://{','.join(each.address for each in self.servers)}/{database}"

    def ask(self, statement: str, **settings: str | int) -> list[str]:
        """Runs a statement on each server, and returns the answers."""
        return [each.ask(statement, 60.0, **settings) for each in self.servers]


def _elements(settings: Mapping[str, str | int]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in settings.items())


def _free_port() -> int:
    """Returns a port on which nothing listens."""
    for _ in range(_PORT_ATTEMPT_COUNT):
        port = next(_next_ports)
        with socket.socket() as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"{_PORT_ATTEMPT_COUNT} ports are in use")
