"""`pegcount key` and `pegcount serve --no-auth`, run in processes of their own."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
from pegcount.config import Config
from pegcount.data_scope import CredentialLimits, DataScope, Metric, OrganizationScope
from pegcount.model import CredentialRow
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, admin_pb2_grpc
from program import Program

from cli_tests.test_command_line import pegcount, serving

KEY = re.compile(r"pk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
ROOT = ("create", "--name", "operator", "--scope", "root")
REPORT = ("report", "usage", "--from", "2026-03-28", "--server")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def key(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return pegcount("key", *arguments)


def made(*arguments: str | Path) -> str:
    """Runs a command that prints a key and nothing else."""
    process = key(*arguments)
    assert process.returncode == 0, process.stderr
    text = process.stdout.removesuffix("\n")
    assert KEY.fullmatch(text)
    assert text not in process.stderr
    return text


def listed(data: Path) -> list[str]:
    process = key("list", "--data", data)
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


def refused(*arguments: str | Path) -> str:
    process = key(*arguments)
    assert (process.returncode, process.stdout) == (2, "")
    return process.stderr


def ids_of(address: str, text: str) -> list[str]:
    """Calls a server with a key; returns the ids of its credentials."""
    with grpc.insecure_channel(address) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        answer = admin.ListCredentials(
            admin_pb2.ListCredentialsRequest(), metadata=(("x-api-key", text),), timeout=20
        )
    return [credential.id for credential in answer.credentials]


def log_of(server: Program) -> str:
    """Ends a server and returns its log."""
    server.terminate()
    return server.communicate(timeout=30)[1]


@contextmanager
def output_that_fails(reason: str) -> Iterator[int]:
    """Opens a file whose writers get an error."""
    if reason == "Broken pipe":
        end, output = os.pipe()
        os.close(end)
    else:
        output = os.open("/dev/full", os.O_WRONLY)
    yield output
    os.close(output)


@pytest.mark.parametrize("reason", ["No space left on device", "Broken pipe"])
def test_a_key_that_cannot_be_shown_can_be_revoked(reason: str, data: Path) -> None:
    made(*ROOT, "--data", data, "--create")
    made("create", "--name", "switch", "--scope", "root", "--data", data)
    switch = next(line.partition(" ")[0] for line in listed(data) if "'switch'" in line)
    for arguments in (("create", "--name", "lost", "--scope", "admin"), ("rotate", switch)):
        with (
            output_that_fails(reason) as output,
            Program("key", *arguments, "--data", data, stdout=output) as process,
        ):
            _, errors = process.communicate(timeout=60)
        found = re.fullmatch(
            rf"pegcount: the new key of credential (cr_\w+) cannot be shown \({reason}\), and nothing"
            r" shows it again: make another credential, and run `pegcount key revoke (cr_\w+)`\n",
            errors,
        )
        assert process.returncode == 2
        assert found, errors
        assert found[1] == found[2]
        assert key("revoke", found[1], "--data", data).returncode == 0
    assert ["revoked" in line for line in listed(data)] == [False, True, True]


def test_a_credential_from_its_making_to_its_end(data: Path) -> None:
    root = made(*ROOT, "--data", data, "--create")
    (line,) = listed(data)
    credential_id = line.partition(" ")[0]
    assert line.startswith(f"{credential_id} 'operator': scopes root; keys {root[:11]}…; made 20")
    assert line.endswith("; never used")
    limits = ("--lifetime", "60", "--certificate-name", "switch.example.com")
    scopes = ("--scope", "write_records", "--scope", "read_reports")
    second = made("create", "--name", "switch", *scopes, *limits, "--data", data)
    (other,) = [one for one in listed(data) if "'switch'" in one]
    assert "scopes read_reports, write_records; " in other
    assert "; certificate names switch.example.com; " in other
    assert re.search(r"; expires 20\S+Z; ", other)
    other_id = other.partition(" ")[0]
    rotated = made("rotate", other_id, "--overlap", "10", "--data", data)
    (other,) = [one for one in listed(data) if "'switch'" in one]
    assert re.search(rf"keys {rotated[:11]}… until \S+Z, {second[:11]}… until \S+Z; ", other)
    assert key("revoke", other_id, "--data", data).stdout == f"credential {other_id} is revoked\n"
    assert "; revoked 20" in "".join(one for one in listed(data) if "'switch'" in one)
    assert "is the last credential with the scope root" in refused("revoke", credential_id, "--data", data)
    assert f'did you mean "{credential_id}"?' in refused("revoke", "operator", "--data", data)


def test_the_first_key_closes_the_server(data: Path) -> None:
    with serving(data) as (address, _):
        assert "the server holds no records yet" in pegcount(*REPORT, address).stdout
        assert "FAILED_PRECONDITION: this server runs without authentication" in refused(
            *ROOT, "--server", address
        )
        assert key("list", "--server", address).stdout == "there are no credentials\n"
        assert "is in use" in refused(*ROOT, "--data", data)
    first = key(*ROOT, "--data", data)
    assert "from its next start on, the server of this directory asks every caller" in first.stderr
    with serving(data) as (address, process):
        report = pegcount(*REPORT, address)
        assert (report.returncode, report.stdout) == (2, "")
        assert "UNAUTHENTICATED: this server needs a credential that it accepts" in report.stderr
        assert ids_of(address, first.stdout.strip()) == [listed_id(first.stderr)]
        assert "authentication is on: 1 credential accepted" in log_of(process)
    assert "last used 20" in listed(data)[0]


def listed_id(advice: str) -> str:
    found = re.match(r"credential (cr_[a-z0-9]{8}) is made; ", advice)
    assert found
    return found[1]


def test_a_server_may_be_opened_on_purpose(data: Path) -> None:
    made(*ROOT, "--data", data, "--create")
    with serving(data, "127.0.0.1:0", "--no-auth") as (address, process):
        assert "the server holds no records yet" in pegcount(*REPORT, address).stdout
        assert "this server runs without authentication" in refused(*ROOT, "--server", address)
        assert "authentication is off (--no-auth, 1 credential ignored)" in log_of(process)


SCOPED = (
    *("--tenant-id", "2", "--tenant-id", "-3", "--organization", "acme/north sales", "--organization", "b"),
    *("--account-id", "1001", "--orig-clients-id", "7", "--term-clients-id", "8", "--source", "sbc1"),
    *("--hide", "price", "--hide", "asr", "--hide-field", "orig_leg_id", "--show-field", "term_clients_name"),
)
DESCRIBED = (
    'tenant_id "2", "-3", organization "acme/north sales", "b", account_id "1001", orig_clients_id "7",'
    ' term_clients_id "8", source "sbc1", hidden_metrics "price", "asr", hidden_fields "orig_leg_id",'
    ' shown_fields "term_clients_name"'
)
LIMITED = (
    *("--calls-per-second", "5", "--calls-in-progress", "6"),
    *("--write-streams", "7", "--work-ms-per-second", "8"),
)
WRONG = ("--tenant-id", "2", "--source", "", "--hide-field", "duratoin", "--calls-per-second", "0")
REFUSED = (
    "--source: is required; --hide-field: 'duratoin' is not a field of active sessions, a dimension or a"
    ' price; did you mean "duration"?; --calls-per-second: 0 is not within 1 to 1000000\n'
)


def rows(data: Path) -> dict[str, CredentialRow]:
    with closing(EmbeddedStore(data, Config())) as store:
        return {row.name: row for row in store.credentials()}


def test_a_data_scope_and_limits_on_a_directory_and_through_a_server(data: Path) -> None:
    root = made(*ROOT, "--data", data, "--create")
    options = ("--scope", "read_reports", "--scope", "write_records", *SCOPED, *LIMITED)
    local = key("create", "--name", "local", *options, "--data", data)
    assert f"its data scope is {DESCRIBED}\n" in local.stderr
    assert "note: if others write to a source of this credential" in local.stderr
    (line,) = [one for one in listed(data) if "'local'" in one]
    limits = "limits calls_per_second 5, calls_in_progress 6, write_streams 7, work_ms_per_second 8"
    assert f"its {limits.replace('limits', 'limits are')}\n" in local.stderr
    assert f"; data scope {DESCRIBED}; {limits}; made 20" in line
    (line,) = [one for one in listed(data) if "'operator'" in one]
    assert "data scope" not in line
    assert "limits" not in line
    wrong = ("create", "--name", "wrong", "--scope", "read_reports", *WRONG)
    assert refused(*wrong, "--data", data) == f"pegcount: {REFUSED}"
    with serving(data) as (address, _):
        by_root = ("--server", address, "--api-key", root)
        made("create", "--name", "remote", *options, *by_root)
        assert refused(*wrong, *by_root).endswith(f": {REFUSED}")
        assert f"; data scope {DESCRIBED}; {limits}; made 20" in key("list", *by_root).stdout
    found = rows(data)
    assert found.keys() == {"operator", "local", "remote"}
    assert found["local"].data_scope == found["remote"].data_scope
    assert found["local"].limits == found["remote"].limits == CredentialLimits(5, 6, 7, 8)
    assert found["local"].data_scope == DataScope(
        tenant_id=(2, -3),
        organization=(OrganizationScope("acme", "north sales"), OrganizationScope("b")),
        account_id=("1001",),
        orig_clients_id=(7,),
        term_clients_id=(8,),
        source=("sbc1",),
        hidden_metrics=(Metric.PRICE, Metric.ASR),
        hidden_fields=("orig_leg_id",),
        shown_fields=("term_clients_name",),
    )
    assert (found["operator"].data_scope, found["operator"].limits) == (None, None)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--scope", "root", "--tenant-id", "2"), "the scopes admin and root reach all records; leave out"),
        (
            ("--scope", "write_records", "--tenant-id", "2"),
            "--source: is required beside the scope write_rec",
        ),
        (("--scope", "write_records", "--hide", "price"), "--hide: is about reports, and the scope read_rep"),
        (("--scope", "read_reports", "--tenant-id", str(-(2**63))), "Invalid value for '--tenant-id'"),
        (
            ("--scope", "read_reports", "--organization", "acme/"),
            "--organization: 'acme/' names no organization after",
        ),
        (
            ("--scope", "read_reports", "--organization", "/sales"),
            "--organization: '/sales' names no company",
        ),
        (
            ("--scope", "read_reports", "--account-id", "1001,1002"),
            "--account-id: '1001,1002' has a comma: repeat the option for each",
        ),
        (("--scope", "read_reports", "--vendor-id", "2"), "--term-clients-id"),
        (("--scope", "read_reports", "--customer", "2"), "--orig-clients-id"),
        (("--scope", "read_reports", "--tenant", "2"), "--tenant-id"),
        (("--scope", "read_reports", "--company", "acme"), "--organization"),
        (("--scope", "read_reports", "--show-field", "duration"), "--show-field: no dimension hides 'dura"),
    ],
)
def test_a_wrong_option_about_a_data_scope_is_named(options: tuple[str, ...], text: str, data: Path) -> None:
    assert text in refused("create", "--name", "n", *options, "--data", data, "--create")


def test_a_writer_with_its_source_alone_gets_no_note(data: Path) -> None:
    for number, options in enumerate(
        (("write_records", "--source", "a"), ("read_reports", "--source", "a", "--tenant-id", "2"))
    ):
        found = key("create", "--name", f"n{number}", "--scope", *options, "--data", data, "--create")
        assert "its data scope is" in found.stderr
        assert "note:" not in found.stderr


def test_a_long_data_scope_is_listed_in_part(data: Path) -> None:
    options = [part for number in range(12) for part in ("--tenant-id", str(number))]
    made("create", "--name", "n", "--scope", "read_reports", *options, "--data", data, "--create")
    (line,) = listed(data)
    assert '; data scope tenant_id "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", … (2 more); made' in line


def test_options_that_contradict_each_other() -> None:
    assert "give one of --store DIR|URL and --server" in refused("list", "--data", "d", "--server", "h")
    assert "--create makes a data directory: give it with --store DIR" in refused(*ROOT, "--create")
    unknown = key("create", "--name", "n", "--scope", "reports", "--data", "d")
    assert unknown.returncode == 2
    assert "'read_reports', 'write_records', 'admin', 'root'" in " ".join(unknown.stderr.split())
