"""`pegcount serve`: where it listens, and what it refuses."""

from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from certificate_authority import CertificateAuthority
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli_tests.test_command_line import pegcount, serving

SAFE = "127.0.0.1:0"


@pytest.fixture
def tls(tmp_path: Path) -> tuple[str, ...]:
    """The options of TLS, and the files that they name; `authority.pem` is what clients trust."""
    authority = CertificateAuthority()
    # Long enough that the log has no warning of it.
    authority.issue(valid_for=timedelta(days=100)).write(tmp_path / "certificate.pem", tmp_path / "key.pem")
    (tmp_path / "authority.pem").write_bytes(authority.certificate)
    return "--tls-cert", str(tmp_path / "certificate.pem"), "--tls-key", str(tmp_path / "key.pem")


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0", "", "::1:0", "pegcount.invalid:0"])
@pytest.mark.parametrize("option", ["--listen", "--admin-listen"])
def test_an_address_that_others_reach_is_refused(address: str, option: str, tmp_path: Path) -> None:
    where = ("--listen", address) if option == "--listen" else ("--listen", SAFE, option, address)
    error = failure(tmp_path, *where)
    if "invalid" in address:
        assert error.startswith(f"pegcount: cannot listen on {address}: ")
    elif address in ("", "::1:0"):
        assert error.startswith(
            f"pegcount: {option}: {address!r} cannot be used; allowed: HOST:PORT or unix:PATH; "
        )
    else:
        assert error.startswith(f"pegcount: other hosts can reach {address}, and TLS is off")
        assert error.endswith("or accept it with --insecure-listen\n")


def test_tls_alone_does_not_make_an_address_safe(tls: tuple[str, ...], tmp_path: Path) -> None:
    error = failure(tmp_path, "--listen", "0.0.0.0:0", *tls)
    assert "no credential is needed" in error
    assert "TLS is off" not in error


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--tls-cert", "c.pem"), "--tls-cert needs --tls-key, too"),
        (("--tls-key", "k.pem"), "--tls-key needs --tls-cert, too"),
        (("--client-ca", "a.pem"), "need TLS: give --tls-cert and --tls-key, too"),
        (("--require-client-cert",), "need TLS: give --tls-cert and --tls-key, too"),
        (
            ("--tls-cert", "c.pem", "--tls-key", "k.pem", "--require-client-cert"),
            "--require-client-cert needs --client-ca",
        ),
        (
            ("--tls-cert", "c.pem", "--tls-key", "k.pem", "--client-ca", "a.pem"),
            "--client-ca needs --require-client-cert, too",
        ),
        (
            ("--tls-cert", "c.pem", "--tls-key", "no.pem"),
            "--tls-key: cannot read no.pem: No such file",
        ),
        (
            ("--listen", "unix:s", "--tls-cert", "c.pem", "--tls-key", "k.pem"),
            "a Unix socket has no TLS: leave out --tls-cert, or listen on HOST:PORT",
        ),
        (("--admin-listen", SAFE, "--no-admin", "--no-reflection"), "--admin-listen offers nothing with"),
    ],
)
def test_options_that_do_not_go_together(options: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    where = () if "--listen" in options else ("--listen", SAFE)
    for name in ("c.pem", "k.pem", "a.pem"):
        (tmp_path / name).touch()
    assert sentence in failure(tmp_path, *where, *options)


def failure(directory: Path, *options: str) -> str:
    """Returns the one line with which `pegcount serve` fails."""
    process = pegcount("serve", "--create", "--data", "data", *options, cwd=directory)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    return process.stderr


def test_tls_and_an_address_for_admin_calls(tls: tuple[str, ...], tmp_path: Path) -> None:
    admin = tmp_path / "admin"
    options = ("--admin-listen", f"unix:{admin}", *tls)
    with serving(tmp_path / "data", SAFE, *options) as (address, process):
        assert process.stdout is not None
        expected = f"listening on unix:{admin} for AdminService and reflection\n"
        assert process.stdout.readline() == expected
        trusted = grpc.ssl_channel_credentials((tmp_path / "authority.pem").read_bytes())
        with grpc.secure_channel(address, trusted) as channel:
            request = health_pb2.HealthCheckRequest(service="pegcount.tls")
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=20)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert not admin.exists()
