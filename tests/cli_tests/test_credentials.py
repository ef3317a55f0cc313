"""Keys, tokens, TLS and client certificates, as a user gives them to the commands that call a server."""

import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificate_authority import CertificateAuthority
from cryptography import x509
from token_issuer import claims, signer, write_tokens_toml

from cli_tests.report_tests.running import run as run_command
from cli_tests.test_command_line import ERROR_LENGTH_MAX, SAMPLES, serving

KEY = re.compile(r"pk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
REPORT = ("report", "usage", "--from", "2026-03-28", "--to", "2026-03-31", "--csv")
IMPORT = ("import", "--format", "pegcount-csv", "--source", "demo", str(SAMPLES / "pegcount.csv"))
FAR = "192.0.2.1:50051"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str | Path, **variables: str) -> Done:
    """Runs a command in this process with variables, whose values no output may have."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("PEGCOUNT_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(f"PEGCOUNT_{name}", value)
        status = run_command(patch, *map(str, arguments))
    text, errors = ((each.seek(0), each.read())[1] for each in (out, err))
    for name in {"API_KEY", "TOKEN"} & variables.keys():
        assert variables[name] not in text + errors
    return Done(status, text, errors)


def printed(*arguments: str | Path, **variables: str) -> str:
    done = run(*arguments, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(*arguments: str | Path, **variables: str) -> str:
    """Returns the one sentence of a command that fails."""
    done = run(*arguments, **variables)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("pegcount: ")
    assert len(line) <= ERROR_LENGTH_MAX, line
    return line


@dataclass(frozen=True)
class Guarded:
    """A server with TLS, keys and tokens, and what a user has who may call it."""

    server: tuple[str, ...]
    """The options that reach it."""
    root_key: str
    directory: Path

    def key(self, name: str, *more: str) -> str:
        """Makes a key over the server."""
        return printed("key", "create", "--name", name, *more, *self.server, API_KEY=self.root_key).strip()

    def id_of(self, name: str) -> str:
        listed = printed("key", "list", *self.server, API_KEY=self.root_key)
        (line,) = [line for line in listed.splitlines() if f"'{name}'" in line]
        return line.partition(" ")[0]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    authority = CertificateAuthority()
    authority.issue().write(directory / "server.pem", directory / "server.key")
    (directory / "ca.pem").write_bytes(authority.certificate)
    data = directory / "data"
    root_key = printed("key", "create", "--create", "--data", data, "--name", "operator", "--scope", "root")
    tokens = write_tokens_toml(directory, signer("HS256"))
    tls = ("--tls-cert", str(directory / "server.pem"), "--tls-key", str(directory / "server.key"))
    with serving(data, "127.0.0.1:0", "--token-config", str(tokens), *tls) as (address, _):
        yield Guarded(("--server", address, "--ca", str(directory / "ca.pem")), root_key.strip(), directory)


def test_keys_from_their_making_to_their_end(guarded: Guarded, tmp_path: Path) -> None:
    writing = guarded.key("switch", "--scope", "write_records")
    reports = guarded.key("wallboard", "--scope", "read_reports")
    assert KEY.fullmatch(writing)
    assert KEY.fullmatch(reports)
    rejects = ("--rejects", str(tmp_path / "rejects.csv"))
    assert "65 rows" in printed(*IMPORT, *rejects, *guarded.server, API_KEY=writing)
    report = printed(*REPORT, *guarded.server, API_KEY=reports)
    assert report.count("\n") == 4
    assert "a credential with the scope write_records; `pegcount key create --scope write_records" in refusal(
        *IMPORT, *rejects, *guarded.server, API_KEY=reports
    )
    denied = refusal(*REPORT, *guarded.server, API_KEY=writing)
    assert "PERMISSION_DENIED: the method needs a credential with the scope read_reports; " in denied
    assert denied.endswith("; `pegcount key create --scope read_reports …` makes one")
    wallboard = guarded.id_of("wallboard")
    rotated = printed("key", "rotate", wallboard, *guarded.server, API_KEY=guarded.root_key).strip()
    assert [printed(*REPORT, *guarded.server, API_KEY=key) for key in (reports, rotated)] == [report] * 2
    printed("key", "revoke", wallboard, *guarded.server, API_KEY=guarded.root_key)
    for key in (reports, rotated):
        assert refusal(*REPORT, *guarded.server, API_KEY=key).endswith(
            "; it refused that of PEGCOUNT_API_KEY"
        )


@pytest.mark.parametrize(
    "command",
    [
        REPORT,
        ("report", "active"),
        ("report", "folders", "acme", "support"),
        ("report", "quality", "--all-accounts", "--last", "1d"),
        ("info",),
        ("retention",),
        ("deck", "list"),
        ("delete", "--list"),
        ("key", "list"),
        IMPORT,
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_each_command_sends_a_credential(command: tuple[str, ...], guarded: Guarded, tmp_path: Path) -> None:
    more = ("--rejects", str(tmp_path / "rejects.csv")) if command[0] == "import" else ()
    printed(*command, *more, *guarded.server, API_KEY=guarded.root_key)
    without = refusal(*command, *more, *guarded.server)
    assert "UNAUTHENTICATED: this server needs a credential that it accepts" in without
    assert without.endswith("; give one by PEGCOUNT_API_KEY, --api-key-file, PEGCOUNT_TOKEN or --token-file")


def test_a_token(guarded: Guarded, tmp_path: Path) -> None:
    now_s = int(time.time())
    token = signer("HS256").token(claims(iat=now_s, exp=now_s + 600))
    report = printed(*REPORT, *guarded.server, TOKEN=token)
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(f"{token}\n")
    assert printed(*REPORT, *guarded.server, "--token-file", file) == report
    assert printed(*REPORT, *guarded.server, "--token", token, API_KEY="pk_ignored") == report
    assert "the scope admin; `pegcount key create --scope admin" in refusal(
        "info", *guarded.server, TOKEN=token
    )
    expired = signer("HS256").token(claims(iat=now_s - 700, exp=now_s - 100))
    assert refusal(*REPORT, *guarded.server, TOKEN=expired).endswith("; it refused that of PEGCOUNT_TOKEN")


def test_a_file_with_the_key_is_for_its_owner_only(guarded: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(f"{guarded.root_key}\n")
    printed("info", *guarded.server, "--api-key-file", file)
    printed("info", *guarded.server, API_KEY_FILE=str(file))
    file.chmod(0o640)
    assert refusal("info", *guarded.server, "--api-key-file", file) == (
        f"pegcount: --api-key-file: {file}: other users may read it; run chmod 600 {file}"
    )


def test_a_client_certificate(tmp_path: Path) -> None:
    authority, clients = CertificateAuthority(), CertificateAuthority("authority of clients")
    authority.issue().write(tmp_path / "server.pem", tmp_path / "server.key")
    clients.issue([x509.DNSName("noc.example.com")]).write(tmp_path / "noc.pem", tmp_path / "noc.key")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    (tmp_path / "clients.pem").write_bytes(clients.certificate)
    data = tmp_path / "data"
    named = ("--name", "noc", "--scope", "admin", "--certificate-name", "noc.example.com")
    printed("key", "create", "--create", "--data", data, *named)
    files = {option: str(tmp_path / name) for option, name in SERVER_FILES.items()}
    tls = [text for option in files.items() for text in option]
    with serving(data, "127.0.0.1:0", *tls, "--require-client-cert") as (address, _):
        trusting = ("info", "--server", address, "--ca", tmp_path / "ca.pem")
        certificate = ("--cert", tmp_path / "noc.pem", "--key", tmp_path / "noc.key")
        assert "records: 0" in printed(*trusting, *certificate)
        assert f"no Pegcount server answers at {address}" in refusal(*trusting, "--timeout", "2")
        assert f"{tmp_path}/noc.pem cannot be used: " in refusal(
            *trusting, "--cert", tmp_path / "noc.pem", "--key", tmp_path / "server.key"
        )


SERVER_FILES = {"--tls-cert": "server.pem", "--tls-key": "server.key", "--client-ca": "clients.pem"}


def test_a_unix_socket_takes_a_key(tmp_path: Path) -> None:
    data, socket = tmp_path / "data", f"unix:{tmp_path / 'socket'}"
    key = printed("key", "create", "--create", "--data", data, "--name", "a", "--scope", "root").strip()
    with serving(data, socket):
        assert "records: 0" in printed("info", "--server", socket, API_KEY=key)
        assert "records: 0" in printed("info", "--server", socket, API_KEY=key, CA="/nowhere.pem")
        assert "--tls is given, and a Unix socket has no TLS" in refusal(
            "info", "--server", socket, "--tls", API_KEY=key
        )


def test_a_credential_where_none_is_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as (address, _):
        assert refusal("info", "--server", address, API_KEY="pk_secret").endswith(
            "; leave out PEGCOUNT_API_KEY"
        )


@pytest.mark.parametrize("address", [FAR, "traffic.example:50051"])
@pytest.mark.parametrize("variable", ["API_KEY", "TOKEN"])
def test_a_credential_does_not_cross_the_network_readable(address: str, variable: str) -> None:
    error = refusal("info", "--server", address, **{variable: "secret"})
    assert f"the credential of PEGCOUNT_{variable} would cross the network to '{address}'" in error
    assert "give --ca FILE, or --tls" in error


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--api-key", "secret", "--token", "secret"), "--api-key and --token exclude each other"),
        (("--api-key", "sécret"), "--api-key: api_key must be printable ASCII text"),
        (("--token", "Bearer secret"), "--token: token must be the token alone: leave out the word Bearer"),
        (("--api-key-file", "pk_secret"), "--api-key-file names a file, and is given what seems to be a key"),
        (("--key", "pk_secret", "--cert", "c.pem"), "No such file or directory"),
        (("--token-file", "missing"), "--token-file: missing: No such file or directory"),
        (("--cert", "c.pem"), "--cert needs --key, too"),
        (("--key", "k.pem"), "--key needs --cert, too"),
        (("--ca", "missing.pem"), "--ca: missing.pem: No such file or directory"),
        (("--ca", os.devnull), f"--ca: {os.devnull} cannot be used: "),
        (("--server", "https://traffic.example:443"), 'did you mean "traffic.example:443" with --tls?'),
    ],
)
def test_options_that_cannot_be_used(options: tuple[str, ...], sentence: str) -> None:
    error = refusal("info", *options)
    assert sentence in error
    assert "secret" not in error


@pytest.mark.parametrize("command", ["key", "delete", "import"])
def test_options_about_a_server_without_one(command: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    printed("key", "create", "--create", "--data", data, "--name", "a", "--scope", "root")
    commands = {
        "key": ("key", "list"),
        "delete": ("delete", "--list"),
        "import": (*IMPORT, "--rejects", str(tmp_path / "rejects.csv")),
    }
    arguments = (*commands[command], "--data", str(data))
    assert "--ca is given, which only a server uses: leave it out, or give --server" in refusal(
        *arguments, "--ca", "ca.pem"
    )
    printed(*arguments, CA="ca.pem", API_KEY="secret", SERVER="127.0.0.1:1")


def test_a_directory_of_the_environment_gives_way_to_a_server(guarded: Guarded) -> None:
    assert "'operator'" in printed("key", "list", *guarded.server, API_KEY=guarded.root_key, DATA="missing")


def test_the_help_prefers_the_variable() -> None:
    told = " ".join(printed("info", "--help").replace("│", " ").split())
    assert "Other users see the command line: prefer the variable or --api-key-file" in told
    assert "PEGCOUNT_API_KEY" in told
