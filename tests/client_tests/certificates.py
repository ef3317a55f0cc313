"""Certificates that a test makes for itself, by openssl: an authority, a server, a client."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """PEM files; the certificate of the server is for `traffic.example` alone."""

    authority: Path
    server_key: Path
    server_certificate: Path
    client_key: Path
    client_certificate: Path


SERVER_NAME = "traffic.example"


def make_certificates(directory: Path) -> Certificates:
    authority_key, authority = directory / "authority.key", directory / "authority.pem"
    _openssl(
        *("req", "-x509", *_new_key(authority_key), "-out", authority, "-days", "2"),
        *("-subj", "/CN=test authority", "-addext", "basicConstraints=critical,CA:TRUE"),
    )
    for name in ("server", "client"):
        request, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{SERVER_NAME}\n")
        _openssl(*("req", *_new_key(directory / f"{name}.key"), "-out", request, "-subj", f"/CN=test {name}"))
        _openssl(
            *("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial"),
            *("-days", "2", "-extfile", extensions, "-out", directory / f"{name}.pem"),
        )
    return Certificates(
        authority,
        directory / "server.key",
        directory / "server.pem",
        directory / "client.key",
        directory / "client.pem",
    )


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
