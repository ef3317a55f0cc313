"""The files of TLS: which ones are refused, and how changed ones come into use."""

import logging
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from math import gcd
from pathlib import Path

import pytest
from certificate_authority import CertificateAuthority, Identity, PrivateKey
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from pegcount.server.certificate_files import TlsFileError, TlsFiles, load
from pegcount.server.certificates import Certificates

DAY_US = 86_400_000_000
WARNING_DAYS = 14


class Files:
    """The files of TLS in a directory, of one authority, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.authority = CertificateAuthority()
        self.tls = TlsFiles(directory / "certificate.pem", directory / "key.pem", directory / "clients.pem")
        self.tls.certificate.parent.mkdir(exist_ok=True)
        (directory / "clients.pem").write_bytes(self.authority.certificate)
        self.now_us = int(datetime.now(UTC).timestamp()) * 1_000_000
        self.replace()

    def replace(self, valid_for: timedelta = timedelta(days=60)) -> None:
        self.authority.issue(valid_for=valid_for).write(self.tls.certificate, self.tls.key)

    def certificates(self) -> Certificates:
        return Certificates(self.tls, lambda: self.now_us, WARNING_DAYS)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls")


def looked(certificates: Certificates) -> str | None:
    """Looks until a change is read: at the second look that finds the files the same."""
    certificates.look()
    return certificates.look()


# ---- Files that are refused ----


def error_of(files: TlsFiles) -> str:
    with pytest.raises(TlsFileError) as raised:
        load(files)
    return str(raised.value)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_file(number: int, files: Files) -> None:
    path = files.tls.all()[number]
    path.unlink()
    assert error_of(files.tls) == f"cannot read {path}: No such file or directory"


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN X-----\nAAAA\n-----END X-----\n", None])
def test_a_file_without_what_it_should_have(number: int, content: bytes | None, files: Files) -> None:
    """None: the first half of the file that it should be."""
    path = files.tls.all()[number]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    what = "private key" if number == 1 else "certificate"
    assert error_of(files.tls).startswith(f"{path} has no {what} in PEM, or a damaged one: ")


def test_a_certificate_of_a_version_that_nobody_knows(files: Files) -> None:
    own = ssl.PEM_cert_to_DER_cert(files.tls.certificate.read_text())
    version_3, version_6 = (bytes([0xA0, 3, 2, 1, number]) for number in (2, 5))
    assert version_3 in own
    files.tls.certificate.write_text(ssl.DER_cert_to_PEM_cert(own.replace(version_3, version_6, 1)))
    assert error_of(files.tls).startswith(f"cannot use {files.tls.certificate} and {files.tls.key}: ")


def test_a_key_of_another_certificate(files: Files) -> None:
    files.tls.key.write_bytes(files.authority.issue().key)
    assert error_of(files.tls).startswith(
        f"the key {files.tls.key} does not belong to the first certificate of"
    )


def test_a_chain_with_the_authority_first(files: Files) -> None:
    own = files.tls.certificate.read_bytes()
    files.tls.certificate.write_bytes(files.authority.certificate + own)
    assert error_of(files.tls).endswith("put the certificate of the server first")
    files.tls.certificate.write_bytes(own + files.authority.certificate)
    assert load(files.tls).chain.count(b"BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize(
    ("mode", "allowed"), [(0o644, "600"), (0o640, "600"), (0o666, "600"), (0o604, "600"), (0o440, "400")]
)
def test_a_key_that_others_can_read(mode: int, allowed: str, files: Files, user_is_not_root: None) -> None:
    files.tls.key.chmod(mode)
    path = files.tls.key
    assert error_of(files.tls) == f"other users can read or change the key {path}: run chmod {allowed} {path}"


@pytest.mark.parametrize(("mode", "allowed"), [(0o644, "640"), (0o660, "640"), (0o604, "600")])
def test_a_key_of_root_may_be_readable_by_a_group(
    mode: int, allowed: str, files: Files, user_is_root: None
) -> None:
    files.tls.key.chmod(mode)
    assert error_of(files.tls).endswith(f": run chmod {allowed} {files.tls.key}")
    files.tls.key.chmod(0o640)
    load(files.tls)


@pytest.fixture
def user_is_not_root(files: Files) -> None:
    if os.geteuid() == 0:
        os.chown(files.tls.key, 65_534, -1)


@pytest.fixture
def user_is_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: keys of root, as the tests run as another user")


def test_an_encrypted_key(files: Files) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    files.tls.key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    )
    assert f"is encrypted: decrypt it with openssl pkey -in {files.tls.key}" in error_of(files.tls)


@pytest.mark.parametrize(
    "make",
    [
        ed25519.Ed25519PrivateKey.generate,
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(65_537, 1_024),
    ],
    ids=["Ed25519", "P-521", "RSA 1024"],
)
def test_a_kind_of_key_that_clients_may_not_know(make: Callable[[], PrivateKey], files: Files) -> None:
    key = make()
    identity = files.authority.issue(key=key)
    identity.write(files.tls.certificate, files.tls.key)
    assert error_of(files.tls).endswith("allowed are RSA of 2048 bits or more, P-256 and P-384")


def rsa_pss_identity(authority: CertificateAuthority) -> Identity:
    """Makes a certificate whose key is for RSASSA-PSS only. Its signature is wrong, which nobody verifies."""
    identity = authority.issue(key=rsa.generate_private_key(65_537, 2_048))
    der = ssl.PEM_cert_to_DER_cert(identity.certificate.decode())
    # rsaEncryption without parameters, and id-RSASSA-PSS with the default ones (RFC 4055).
    any_use, pss_only = (bytes.fromhex(f"06092a864886f70d0101{end}") for end in ("010500", "0a3000"))
    assert der.count(any_use) == 1
    return Identity(ssl.DER_cert_to_PEM_cert(der.replace(any_use, pss_only)).encode(), identity.key)


def test_a_key_for_rsa_pss_only(files: Files) -> None:
    rsa_pss_identity(files.authority).write(files.tls.certificate, files.tls.key)
    assert error_of(files.tls) == (
        f"the key {files.tls.key} is for RSASSA-PSS only, which gRPC does not know; allowed are RSA of 2048"
        " bits or more, P-256 and P-384"
    )


def key_that_grpc_does_not_accept() -> rsa.RSAPrivateKey:
    """Makes an RSA key of 2048 bits whose public exponent has more than 33 bits."""
    usual = rsa.generate_private_key(65_537, 2_048).private_numbers()
    totient = (usual.p - 1) * (usual.q - 1)
    exponent = next(number for number in count(2**40 + 1, 2) if gcd(number, totient) == 1)
    inverse = pow(exponent, -1, totient)
    return rsa.RSAPrivateNumbers(
        usual.p,
        usual.q,
        inverse,
        inverse % (usual.p - 1),
        inverse % (usual.q - 1),
        usual.iqmp,
        rsa.RSAPublicNumbers(exponent, usual.public_numbers.n),
    ).private_key()


def test_what_grpc_does_not_accept_prevents_the_start(files: Files) -> None:
    files.authority.issue(key=key_that_grpc_does_not_accept()).write(files.tls.certificate, files.tls.key)
    load(files.tls)
    names = ", ".join(map(str, files.tls.all()))
    with pytest.raises(TlsFileError, match=f"gRPC cannot use {names}: .*; allowed are keys of RSA of 2048"):
        files.certificates()


# ---- Changed files ----


def test_what_grpc_does_not_accept_is_a_fault_until_it_is_replaced(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = files.certificates()
    files.authority.issue(key=key_that_grpc_does_not_accept()).write(files.tls.certificate, files.tls.key)
    fault = str(looked(certificates))
    assert fault.startswith("gRPC cannot use ")
    assert certificates.look() == fault
    assert caplog.messages == [f"new TLS files are not used, the old ones stay in use: {fault}"]
    files.replace()
    assert looked(certificates) is None


def test_changed_files_are_read_once_they_stay_the_same(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    certificates = files.certificates()
    assert certificates.look() is None
    files.replace()
    assert certificates.look() is None
    assert caplog.messages == []
    assert looked(certificates) is None
    (line,) = caplog.messages
    assert line.startswith(f"new connections use the new certificate {files.tls.certificate}, valid until 20")


def test_half_of_a_pair_keeps_the_old_one(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    certificates = files.certificates()
    identity = files.authority.issue()
    files.tls.certificate.write_bytes(identity.certificate)
    fault = looked(certificates)
    assert fault is not None
    assert "does not belong to the first certificate" in fault
    assert certificates.look() == fault
    assert caplog.messages == [f"new TLS files are not used, the old ones stay in use: {fault}"]
    files.tls.key.write_bytes(identity.key)
    assert looked(certificates) is None


def test_a_file_that_goes_missing_and_comes_back(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    certificates = files.certificates()
    moved = files.tls.key.rename(files.tls.key.with_name("moved"))
    assert looked(certificates) == f"cannot read {files.tls.key}: No such file or directory"
    moved.rename(files.tls.key)
    assert looked(certificates) is None
    assert len(caplog.messages) == 1


def test_a_pair_behind_a_link(tmp_path: Path) -> None:
    """A secret of Kubernetes is a link to a directory, which is replaced as a whole."""
    old, new, link = Files(tmp_path / "old"), Files(tmp_path / "new"), tmp_path / "link"
    link.symlink_to("old")
    linked = TlsFiles(link / "certificate.pem", link / "key.pem")
    certificates = Certificates(linked, lambda: old.now_us, WARNING_DAYS)
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(link)
    new.tls.key.chmod(0o666)
    assert str(looked(certificates)).startswith("other users can read or change the key")
    new.tls.key.chmod(0o600)
    assert looked(certificates) is None


def test_a_key_that_is_refused_is_not_in_the_log(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    certificates = files.certificates()
    secret = files.tls.key.read_text().splitlines()[1]
    files.tls.key.write_text(f"{secret}\n")
    assert secret not in str(looked(certificates))
    assert secret not in caplog.text


# ---- Dates ----


def test_the_log_tells_of_a_certificate_that_expires_soon_once_a_day(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.replace(timedelta(days=20))
    certificates = files.certificates()
    counts = []
    for _ in range(21):
        certificates.look()
        counts.append(len(caplog.messages))
        files.now_us += DAY_US
    assert counts == [0] * 6 + list(range(1, 16))
    assert ": replace it" in caplog.messages[0]
    assert f"a certificate of {files.tls.certificate} expires at 20" in caplog.messages[0]
    assert f"a certificate of {files.tls.certificate} expired at 20" in caplog.messages[-1]


def test_an_expired_certificate_is_a_fault_until_it_is_replaced(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.replace(timedelta(seconds=-5))
    certificates = files.certificates()
    assert len(caplog.messages) == 1
    assert str(certificates.look()).startswith(f"a certificate of {files.tls.certificate} expired at 20")
    files.replace()
    assert looked(certificates) is None
    assert len(caplog.messages) == 1


def test_a_certificate_of_the_future(files: Files) -> None:
    files.now_us -= 1_001 * DAY_US
    assert "is not valid before 20" in str(files.certificates().look())


def test_authorities_of_clients_expire_too(files: Files) -> None:
    files.replace(timedelta(days=500))
    certificates = files.certificates()
    files.now_us += 101 * DAY_US
    assert str(certificates.look()).startswith(f"a certificate of {files.tls.client_authorities} expired at")


def test_the_keys_of_a_pair_are_equal_whatever_their_form(files: Files) -> None:
    """A traditional key of OpenSSL and one in PKCS #8 are the same key."""
    key = ec.generate_private_key(ec.SECP384R1())
    files.authority.issue(key=key).write(files.tls.certificate, files.tls.key)
    expected = load(files.tls)
    traditional = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert b"BEGIN EC PRIVATE KEY" in traditional
    files.tls.key.write_bytes(traditional)
    assert load(files.tls) == expected
