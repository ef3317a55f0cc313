"""The HTTP endpoint: what it answers, and what a client may hold."""

import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse

import pytest
from pegcount.metrics import MetricsEndpoint, MetricsListenError
from pegcount.metrics.endpoint import CONNECTION_COUNT_MAX
from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from waiting import wait_until

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Gauge("answer", "The answer.", registry=made).set(42)
    return made


@pytest.fixture
def endpoint(registry: CollectorRegistry) -> Iterator[MetricsEndpoint]:
    made = MetricsEndpoint("127.0.0.1:0", registry, request_seconds_max=4, answer_seconds_max=4)
    yield made
    made.close()


def port_of(endpoint: MetricsEndpoint) -> int:
    return int(endpoint.url.removeprefix("http://127.0.0.1:").removesuffix("/metrics"))


def ask(
    endpoint: MetricsEndpoint, path: str = "/metrics", method: str = "GET", **headers: str
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port_of(endpoint), timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def answers(endpoint: MetricsEndpoint) -> bool:
    try:
        return b"answer 42.0" in ask(endpoint)[1]
    except OSError:
        return False


def connected(endpoint: MetricsEndpoint, data: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port_of(endpoint)), timeout=20)
    opened.sendall(data)
    return opened


def rest_of(opened: socket.socket) -> bytes:
    """Reads until the endpoint closes the connection."""
    found = b""
    try:
        while data := opened.recv(65_536):
            found += data
    except ConnectionResetError:
        pass
    return found


def test_a_scrape(endpoint: MetricsEndpoint) -> None:
    response, content = ask(endpoint)
    assert (response.status, response.getheader("Content-Type")) == (200, PLAIN)
    (family,) = text_string_to_metric_families(content.decode())
    assert family.samples[0].value == 42


def test_openmetrics_and_gzip_by_their_headers(endpoint: MetricsEndpoint) -> None:
    response, content = ask(
        endpoint, Accept="application/openmetrics-text;version=1.0.0", Accept_Encoding="gzip"
    )
    assert str(response.getheader("Content-Type")).startswith("application/openmetrics-text; version=1.0.0")
    assert response.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(content).endswith(b"# EOF\n")


@pytest.mark.parametrize("kind", ["text/plain", "application/openmetrics-text"])
@pytest.mark.parametrize("version", ["x", "1.x", "0.-"])
def test_a_version_that_is_not_a_number_counts_as_none(
    endpoint: MetricsEndpoint, kind: str, version: str
) -> None:
    response, content = ask(endpoint, Accept=f"{kind};version={version}")
    assert (response.status, response.getheader("Content-Type")) == (200, PLAIN)
    assert b"answer 42.0" in content


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", 200, b"Pegcount: its metrics are at /metrics\n"),
        ("GET", "/metrics?name[]=none", 200, None),
        ("HEAD", "/metrics", 200, b""),
        ("HEAD", "/", 200, b""),
        ("GET", "/metrics/", 404, b"the metrics are at /metrics\n"),
        ("GET", "/favicon.ico", 404, b"the metrics are at /metrics\n"),
        ("POST", "/metrics", 405, b"allowed are GET and HEAD\n"),
        ("OPTIONS", "/metrics", 405, b"allowed are GET and HEAD\n"),
    ],
)
def test_paths_and_methods(
    endpoint: MetricsEndpoint, method: str, path: str, status: int, text: bytes | None
) -> None:
    response, content = ask(endpoint, path, method)
    assert response.status == status
    assert content == text if text is not None else b"answer 42.0" in content
    assert response.getheader("Allow") == ("GET, HEAD" if status == 405 else None)


@pytest.mark.parametrize("data", [b"", b"GET /metr", SCRAPE[:-2], b"\x16\x03\x01\x00\xa5\x01\x00"])
def test_a_request_that_never_ends_is_cut_off_and_holds_nobody_up(
    endpoint: MetricsEndpoint, data: bytes
) -> None:
    with connected(endpoint, data) as half:
        assert answers(endpoint)
        assert b"200 OK" not in rest_of(half)


def test_bytes_that_trickle_in_do_not_buy_time(endpoint: MetricsEndpoint) -> None:
    with connected(endpoint, b"GET /metrics HTTP/1.1\r\n") as slow:
        slow.setblocking(False)

        def is_cut() -> bool:
            try:
                slow.send(b"a: b\r\n")
                return slow.recv(1) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

        wait_until(is_cut, "the end of a slow request", 20)
    assert answers(endpoint)


class LongText(Collector):
    """More text than the buffers between two sockets hold."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("long", "x" * 20_000_000, 1)


def test_a_slow_reader_is_cut_off_and_holds_nobody_up(
    endpoint: MetricsEndpoint, registry: CollectorRegistry
) -> None:
    registry.register(LongText())
    with connected(endpoint, SCRAPE) as slow:
        assert slow.recv(1) == b"H"
        assert answers(endpoint)
        # The time of a later client has passed, so that of this one has, too.
        with connected(endpoint, SCRAPE[:-2]) as later:
            rest_of(later)
        assert len(rest_of(slow)) < 20_000_000


def test_connections_beyond_the_limit_are_refused_until_others_end(endpoint: MetricsEndpoint) -> None:
    with ExitStack() as opened:
        for _ in range(CONNECTION_COUNT_MAX):
            opened.enter_context(connected(endpoint))
        more = opened.enter_context(connected(endpoint))
        assert rest_of(more).startswith(b"HTTP/1.0 503 ")
    wait_until(lambda: answers(endpoint), "a scrape after others have left")


def test_clients_that_leave_early_do_no_harm(endpoint: MetricsEndpoint) -> None:
    for _ in range(3 * CONNECTION_COUNT_MAX):
        connected(endpoint, SCRAPE).close()
    wait_until(lambda: answers(endpoint))


class Failing(Collector):
    """Has an error."""

    is_broken = False

    def collect(self) -> Iterator[Metric]:
        if self.is_broken:
            raise RuntimeError("secret")
        yield from ()


def test_metrics_that_cannot_be_read(
    endpoint: MetricsEndpoint, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing()
    registry.register(failing)
    failing.is_broken = True
    response, content = ask(endpoint)
    assert (response.status, content) == (500, b"the log has the cause\n")
    assert "secret" in caplog.text
    assert ask(endpoint)[0].status == 500
    assert caplog.text.count("the metrics cannot be read") == 1, "one a minute"
    failing.is_broken = False
    assert answers(endpoint)


@pytest.mark.parametrize(
    "address", ["", "9464", "127.0.0.1", "127.0.0.1:99999", "::1:9464", "a b:1", "unix:/x"]
)
def test_a_malformed_address_says_what_is_allowed(address: str, registry: CollectorRegistry) -> None:
    with pytest.raises(MetricsListenError) as raised:
        MetricsEndpoint(address, registry)
    text = str(raised.value)
    assert text.startswith(f"cannot offer metrics at --metrics-listen {address!r}: it is not HOST:PORT: ")
    assert text.endswith(
        "; give another address, such as 127.0.0.1:0 for any free port, or none for no metrics"
    )


def test_a_port_in_use(endpoint: MetricsEndpoint, registry: CollectorRegistry) -> None:
    address = f"127.0.0.1:{port_of(endpoint)}"
    with pytest.raises(MetricsListenError) as raised:
        MetricsEndpoint(address, registry)
    assert str(raised.value) == (
        f"cannot offer metrics at --metrics-listen '{address}': address already in use; give another address,"
        " such as 127.0.0.1:0 for any free port, or none for no metrics"
    )


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.invalid"])
def test_a_host_that_is_not_a_name(host: str, registry: CollectorRegistry) -> None:
    with pytest.raises(MetricsListenError, match="each part between dots has 1 to 63 characters; give"):
        MetricsEndpoint(f"{host}:0", registry)


def test_a_host_that_does_not_exist(registry: CollectorRegistry) -> None:
    with pytest.raises(MetricsListenError, match=r"--metrics-listen 'pegcount\.invalid:0': "):
        MetricsEndpoint("pegcount.invalid:0", registry)


def test_ipv6(registry: CollectorRegistry) -> None:
    made = MetricsEndpoint("[::1]:0", registry)
    port = int(made.url.removeprefix("http://[::1]:").removesuffix("/metrics"))
    connection = HTTPConnection("::1", port, timeout=20)
    connection.request("GET", "/metrics")
    assert b"answer 42.0" in connection.getresponse().read()
    connection.close()
    made.close()


def test_a_closed_endpoint_gives_its_port_back(registry: CollectorRegistry) -> None:
    first = MetricsEndpoint("127.0.0.1:0", registry)
    port = port_of(first)
    first.close()
    second = MetricsEndpoint(f"127.0.0.1:{port}", registry)
    assert answers(second)
    second.close()
