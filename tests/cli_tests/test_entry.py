"""What all commands share: environment variables, help, versions, completion, and servers that fail."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
import typer
from certificate_authority import CertificateAuthority
from pegcount import core
from pegcount.calendar import tzdata_version
from pegcount.cli import app
from pegcount.cli.connection import ABOUT_A_SERVER
from pegcount.cli.entry import add_environment_variables, options
from pegcount.version import VERSION

from cli_tests.report_tests.running import run

OF_TESTS = {
    f"PEGCOUNT_{name}"
    for name in (
        "SEED",
        "DRAWN_SEED",
        "EXAMPLES",
        "SCHEDULES",
        "CHUNK_FIRST",
        "SOAK_SECONDS",
        "OVERLOAD_SECONDS",
        "LIBCHDB",
        "CLICKHOUSE_LONG",
        "CLICKHOUSE_KILLS",
        "CLICKHOUSE_CUTS",
    )
}
"""Variables that tests read; no option may take them."""


def pegcount(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pegcount", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **variables},
    )


# ---- Environment variables ----


def test_no_variable_says_what_to_delete() -> None:
    command = typer.main.get_command(app)
    add_environment_variables(command)
    given = {option.name for option in options(getattr(command, "commands", {})["delete"])}
    assert given == {"store", "time_zone", *ABOUT_A_SERVER} - {"timeout"}
    refused = pegcount("delete", "--store", "missing", PEGCOUNT_ALL="1", PEGCOUNT_SOURCE="beta")
    assert refused.returncode == 2


def test_two_variables_that_name_different_stores_are_refused() -> None:
    both = {"PEGCOUNT_DATA": "one", "PEGCOUNT_STORE": "other"}
    refused = pegcount("masking", **both)
    text = "PEGCOUNT_DATA and PEGCOUNT_STORE are two names of one setting: give the second one only"
    assert (refused.returncode, refused.stderr) == (2, f"pegcount: {text}\n")
    assert text not in pegcount("masking", "--store", "third", **both).stderr


def test_each_option_of_each_command_has_its_variable() -> None:
    command = typer.main.get_command(app)
    add_environment_variables(command)
    variables = {option.opts[0]: option.envvar for option in options(command)}
    assert len(variables) > 60
    assert variables["--time-zone"] == ["PEGCOUNT_TIME_ZONE"]
    assert variables["--from"] == ["PEGCOUNT_FROM"]
    assert variables["--bytes"] == ["PEGCOUNT_BYTES"]
    assert ["PEGCOUNT_STORE", "PEGCOUNT_DATA"] in [option.envvar for option in options(command)]
    for name, (variable, *older) in variables.items():
        assert variable == "PEGCOUNT_" + name.removeprefix("--").replace("-", "_").upper()
        assert not older or name == "--store"
        assert variable not in OF_TESTS
        assert not variable.startswith(("PEGCOUNT_CONFIG_", "PEGCOUNT_FAULT_", "PEGCOUNT_SHIM_")), (
            "settings and tests have these"
        )
    assert not {"--version", "--help", "--show-completion"} & set(variables)


def test_the_help_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run(monkeypatch, "info", "--help") == 0
    assert "[env var: PEGCOUNT_SERVER]" in capsys.readouterr().out


def test_a_variable_with_a_wrong_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEGCOUNT_TIMEOUT", "soon")
    assert run(monkeypatch, "info") == 2
    assert "--timeout" in capsys.readouterr().err


# ---- Options given several times ----


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("info", "--server", "a:1", "--server", "a:1"), "--server is given twice; it takes one value"),
        (("info", "--server=a:1", "--server", "b:1"), "--server is given twice; it takes one value"),
        (("deck", "list", *("--server=a:1",) * 3), "--server is given 3 times; it takes one value"),
        (
            ("import", "--source", "a", "x.csv", "--source", "b", "--format", "yeti-csv"),
            "--source is given twice; it takes one value",
        ),
        (("report", "usage", "--last", "7d", "--last", "1d"), "--last is given twice; it takes one value"),
    ],
)
def test_an_option_that_takes_one_value_is_given_once(
    arguments: tuple[str, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Regression: the last value counted, in silence."""
    assert run(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err == f"pegcount: {sentence}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "quality", "--account", "1", "--account", "2", "--last", "1d"),
        ("report", "usage", "--last", "1d", "--json", "--json"),
        ("report", "active", "--order=-quantity", "--order", "duration"),
        ("report", "active", "--server", "127.0.0.1:1", "--", "--server", "--server"),
        ("report", "quality", "--all-accounts", "--last", "1d", "--src-prefix-contains", "--server"),
    ],
)
def test_what_may_be_repeated_and_values_like_options_are_taken(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEGCOUNT_SERVER", "127.0.0.1:1")
    assert run(monkeypatch, *arguments) == 2
    assert "is given" not in capsys.readouterr().err


# ---- Readers that end early ----


@pytest.mark.parametrize(
    "arguments", [("--help",), ("report", "quality", "--help"), ("report",), ("--version",)]
)
def test_a_help_ends_quietly_where_its_reader_ends(arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pegcount", *arguments]
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")


# ---- Help, versions, completion ----


@pytest.mark.parametrize(
    ("arguments", "words"), [((), "Commands"), (("report",), "quality"), (("deck",), "list")]
)
def test_a_missing_command_shows_the_help(
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *arguments) == 0
    assert words in capsys.readouterr().out


def test_versions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    versions = f"pegcount {VERSION}, core {core.core_version()}, tzdata {tzdata_version()}\n"
    assert capsys.readouterr().out == versions
    assert re.fullmatch(
        r"\d+\.\d+\.\d+ \((release|debug) build, (x86-64-v[234]|\w+(-64)? baseline)\)", core.core_version()
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    process = pegcount(*("--show-completion", shell), _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert process.returncode == 0, process.stderr
    assert "_PEGCOUNT_COMPLETE" in process.stdout


def test_completion_completes_options() -> None:
    process = pegcount(
        _PEGCOUNT_COMPLETE="complete_bash", COMP_WORDS="pegcount report usage --gran", COMP_CWORD="3"
    )
    assert process.stdout.split() == ["--granularity"]


# ---- Servers that fail ----


@contextmanager
def silent_port() -> Iterator[str]:
    """A port that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def web_port() -> Iterator[str]:
    """A port that speaks HTTP/1."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def foreign_grpc_port() -> Iterator[str]:
    """A gRPC server without our services."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@contextmanager
def closed_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"127.0.0.1:{port}"


SERVERS = {
    "silent": (silent_port, "no answer from {} within 1 s"),
    "web": (web_port, "no Pegcount server answers at {}: "),
    "foreign": (foreign_grpc_port, "no Pegcount server answers at {}: Method not found!"),
    "closed": (closed_port, "no server answers at {}; `pegcount serve` starts one"),
}


@pytest.mark.parametrize("command", [("report", "active"), ("info",), ("deck", "list"), ("retention",)])
@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_fails_is_told_in_one_sentence(
    server: str,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port, sentence = SERVERS[server]
    with port() as address:
        assert run(monkeypatch, *command, "--server", address, "--timeout", "1") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"pegcount: {sentence.format(address)}")
    assert len(printed.err.splitlines()) == 1


@contextmanager
def tls_port() -> Iterator[str]:
    """A gRPC server that takes calls by TLS alone."""
    certificate = CertificateAuthority().issue()
    server = grpc.server(ThreadPoolExecutor(1))
    pair = (certificate.key, certificate.certificate)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize(("option", "is_advised"), [((), True), (("--tls",), False)])
def test_a_server_that_ends_connections_without_tls_is_told_with_the_option_for_it(
    option: tuple[str, ...],
    is_advised: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tls_port() as address:
        assert run(monkeypatch, "info", "--server", address, "--timeout", "5", *option) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"pegcount: no Pegcount server answers at {address}: ")
    assert printed.endswith("; does it need TLS? give --ca FILE or --tls\n") == is_advised


def test_an_address_that_cannot_be_one_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "info", "--server", "traffic.example") == 2
    assert capsys.readouterr().err == (
        "pegcount: address 'traffic.example' has no port; did you mean \"traffic.example:50051\"?\n"
    )
