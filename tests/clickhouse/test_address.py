"""Addresses of clusters: what they mean, and what is said about wrong ones."""

from pathlib import Path

import pytest
from certificate_authority import CertificateAuthority
from pegcount.errors import StoreAddressError
from pegcount.store.clickhouse.wire.address import ClusterAddress, HostPort


def problems_of(url: str, password: str | None = None) -> str:
    with pytest.raises(StoreAddressError) as caught:
        ClusterAddress.parse(url, password)
    return str(caught.value)


def test_shards_replicas_ports_and_a_user() -> None:
    address = ClusterAddress.parse("clickhouse://counter@h1:8124,h2|H2b:9,[::1]/calls")
    assert address.shards == (
        (HostPort("h1", 8_124),),
        (HostPort("h2", 8_123), HostPort("h2b", 9)),
        (HostPort("::1", 8_123),),
    )
    assert (address.database, address.user, address.is_tls) == ("calls", "counter", False)
    assert str(address) == "clickhouse://counter@h1:8124,h2:8123|h2b:9,[::1]:8123/calls"


def test_its_text_is_an_address_with_all_files(tmp_path: Path) -> None:
    (tmp_path / "a @ b").write_text("secret", encoding="utf-8")
    (tmp_path / "a @ b").chmod(0o600)
    url = f"clickhouses://h1/calls?password_file={tmp_path}/a%20%40%20b&ca=/c%2Ba.pem&certificate=/c&key=/k"
    address = ClusterAddress.parse(url)
    assert "secret" not in str(address)
    assert ClusterAddress.parse(str(address)) == address


def test_without_a_user_it_is_that_of_clickhouse() -> None:
    assert ClusterAddress.parse("clickhouse://h1/calls").user == "default"


def test_tls_has_a_port_of_its_own_and_files(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    ca, certificate, key = tmp_path / "c+a.pem", tmp_path / "certificate.pem", tmp_path / "key.pem"
    ca.write_bytes(authority.certificate)
    authority.issue().write(certificate, key)
    address = ClusterAddress.parse(f"clickhouses://h1/calls?ca={ca}&certificate={certificate}&key={key}")
    assert address.shards == ((HostPort("h1", 8_443),),)
    context = address.tls_context()
    assert context is not None
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1
    assert ClusterAddress.parse("clickhouse://h1/calls").tls_context() is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("ca={dir}/none", "ca {dir}/none: No such file or directory"),
        ("ca={dir}/text", "ca {dir}/text cannot be used: no certificate or crl found"),
        ("certificate={dir}/text&key={dir}/none", "key {dir}/none: No such file or directory"),
        ("certificate={dir}/text&key={dir}/text", "certificate {dir}/text cannot be used: "),
    ],
)
def test_files_that_tls_cannot_use(tmp_path: Path, options: str, text: str) -> None:
    (tmp_path / "text").write_text("no PEM", encoding="utf-8")
    address = ClusterAddress.parse(f"clickhouses://h1/calls?{options.format(dir=tmp_path)}")
    with pytest.raises(StoreAddressError) as caught:
        address.tls_context()
    assert text.format(dir=tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("clickhose://h1/calls", "it begins with clickhouse:// or, for TLS, clickhouses://"),
        ("clickhose://h1/calls", 'did you mean "clickhouse"?'),
        ("clickhouse://h1", "the name of the database after the hosts and / is missing"),
        ("clickhouse://h1/", "the name of the database after the hosts and / is missing"),
        ("clickhouse://h1/my-calls", "the database 'my-calls' must be a name of letters"),
        ("clickhouse://h1/a/b", "the database 'a/b' must be a name"),
        ("clickhouse:///calls", "a host is missing"),
        ("clickhouse://h1,,h2/calls", "a host is missing"),
        ("clickhouse://h1|/calls", "a host is missing"),
        ("clickhouse://h 1/calls", "'h 1' is not HOST, HOST:PORT or [IPV6]:PORT"),
        ("clickhouse://::1/calls", "'::1' is not HOST"),
        ("clickhouse://[h1]:1/calls", "'[h1]:1' is not HOST"),
        ("clickhouse://h1:0/calls", "the port of h1:0 must be a number from 1 to 65535"),
        ("clickhouse://h1:65536/calls", "the port of h1:65536 must be"),
        ("clickhouse://h1,h1:8123/calls", "h1:8123 is named 2 times"),
        ("clickhouse://h1,H1/calls", "h1:8123 is named 2 times"),
        ("clickhouse://@h1/calls", "the name of the user before @ is missing"),
        ("clickhouse://a%0Ab@h1/calls", "the name of the user has a character"),
        ("clickhouse://h1/calls?pasword_file=x", "the option 'pasword_file' is unknown; there are"),
        ("clickhouse://h1/calls?pasword_file=x", 'did you mean "password_file"?'),
        ("clickhouse://h1/calls?password_file=", "password_file names a file, and is empty"),
        ("clickhouse://h1/calls?ca=a", "ca is for TLS only: begin with clickhouses://"),
        ("clickhouses://h1/calls?ca=a&ca=b", "ca is given 2 times"),
        ("clickhouses://h1/calls?key=a", "certificate and key go together"),
        ("clickhouse://h1/calls?password_file=none", "password_file none: No such file or directory"),
    ],
)
def test_what_is_said_about_a_wrong_address(url: str, text: str) -> None:
    assert text in problems_of(url)


def test_all_problems_are_named_at_once() -> None:
    found = problems_of("clickhouse://h1:0,h 2/?user=x&ca=y")
    for text in ("h1:0", "'h 2'", "database", "'user'", "ca is for TLS"):
        assert text in found


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://user:hunter2@h1/calls",
        "clickhouse://user:hun/hunter2@h1/calls",
        "clickhouse://user:hun?hunter2@h1/calls",
        "clickhouse://user:hun@hunter2@h1/calls",
        "clickhouse://user:hunter2@h1:0/calls?x=y",
        "clickhouse://h1/calls?password=hunter2",
        "clickhouse://h1/calls?password=hunter2&ca=a@b",
    ],
)
def test_no_error_repeats_a_password(url: str) -> None:
    found = problems_of(url)
    assert "password_file" in found
    assert "hunter2" not in found


@pytest.mark.parametrize(("content", "password"), [("hunter2\n", "hunter2"), ("a b\r\n", "a b"), ("ü", "ü")])
def test_a_password_comes_from_a_file(tmp_path: Path, content: str, password: str) -> None:
    path = tmp_path / "password"
    path.write_text(content, encoding="utf-8", newline="")
    path.chmod(0o600)
    address = ClusterAddress.parse(f"clickhouse://h1/calls?password_file={path}")
    assert address.password == password
    assert password not in repr(address) + str(address)


def test_a_password_comes_from_elsewhere_or_is_empty() -> None:
    assert ClusterAddress.parse("clickhouse://h1/calls", "hunter2").password == "hunter2"
    assert ClusterAddress.parse("clickhouse://h1/calls").password == ""


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (b"hunter2", 0o644, "other users may read it; run chmod 600"),
        (b"\xff", 0o600, "it is not a text in UTF-8"),
        (b"\n", 0o600, "it is empty"),
        (b"x" * 5_000, 0o600, "it has more than 4,096 bytes"),
    ],
)
def test_a_file_that_holds_no_password(tmp_path: Path, content: bytes, mode: int, text: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(mode)
    found = problems_of(f"clickhouse://h1/calls?password_file={path}")
    assert text in found
    assert "hunter2" not in found


def test_a_password_that_is_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("a", encoding="utf-8")
    path.chmod(0o600)
    assert "given twice" in problems_of(f"clickhouse://h1/calls?password_file={path}", "b")
