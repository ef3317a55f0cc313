"""Which settings contradict each other, and which have no effect."""

from collections.abc import Iterator, Mapping
from typing import Final

from pegcount.settings.origin import BY_DEFAULT, Origin, Problem, Source
from pegcount.settings.setting import CONFIG, SETTINGS, STORE_KEY, TUNING, Value, is_url

_ORDERED: Final = (
    *(
        (f"{CONFIG}.{less}", f"{CONFIG}.{more}")
        for less, more in (
            ("query_memory_bytes_max", "query_memory_bytes_total_max"),
            ("report_request_bytes_max", "request_bytes_max"),
            ("admin_request_bytes_max", "request_bytes_max"),
            ("name_request_bytes_max", "request_bytes_max"),
            ("deletion_request_bytes_max", "request_bytes_max"),
            ("credential_overlap_seconds", "credential_overlap_seconds_max"),
            ("credential_overlap_seconds_max", "credential_lifetime_seconds_max"),
            ("credential_calls_per_second", "credential_limit_max"),
            ("credential_calls_in_progress", "credential_limit_max"),
            ("credential_work_ms_per_second", "credential_limit_max"),
            ("seal_row_count", "unsealed_row_count_max"),
            ("deletion_session_id_count_max", "deletion_session_id_total_max"),
            ("erasure_party_count_max", "erased_party_total_max"),
            ("audit_list_count_max", "audit_entry_count_max"),
        )
    ),
    (f"{TUNING}.inline_cost_us_max", f"{TUNING}.small_cost_us_max"),
    (f"{TUNING}.parallel_row_count_min", f"{TUNING}.delegated_row_count_min"),
    (f"{TUNING}.pooled_id_slot_count_min", f"{TUNING}.direct_id_slot_count_max"),
)
"""Pairs of numbers of which the first must not be greater than the second."""

_OF_CLIENTS: Final = frozenset(
    {
        f"{TUNING}.client_reconnect_ms_max",
        f"{TUNING}.import_batch_text_chars_max",
        f"{TUNING}.reject_kind_count_max",
        f"{TUNING}.reject_kind_shown_count_max",
        f"{CONFIG}.import_batch_row_count",
        f"{CONFIG}.import_batch_bytes_max",
        f"{CONFIG}.import_batch_in_flight_max",
        f"{CONFIG}.reported_call_row_count_max",
        f"{CONFIG}.export_piece_row_count",
        f"{CONFIG}.lock_wait_seconds_max",
        f"{CONFIG}.lock_wait_log_seconds",
        f"{CONFIG}.retry_count_max",
        f"{CONFIG}.retry_seconds_min",
        f"{CONFIG}.retry_seconds_max",
    }
)
"""Fields that only commands other than `serve` read."""


_OF_DIRECTORIES: Final[Mapping[str, str]] = {
    "create": "make the tables of a cluster by `pegcount clickhouse init`",
    "accept_loss_of": "leave it out",
}
"""Settings that only a data directory has, and what to do where the store is a cluster."""


class _Judged:
    """Values of settings, and how their readers know each one."""

    def __init__(self, values: Mapping[str, Value], origins: Mapping[str, Origin]) -> None:
        self._values = values
        self._origins = origins

    def has(self, key: str) -> bool:
        """Returns whether a setting says something: a flag that is set, a text that is there."""
        return self._values[key] not in (None, False, ())

    def value(self, key: str) -> Value:
        return self._values[key]

    def is_given(self, key: str) -> bool:
        return self._origins.get(key, BY_DEFAULT).source is not Source.DEFAULT

    def name(self, key: str) -> str:
        """Returns what the setting is called where its value stands, or its option."""
        source = self._origins.get(key, BY_DEFAULT).source
        if source is Source.FILE:
            return key
        return SETTINGS[key].variable if source is Source.ENVIRONMENT else SETTINGS[key].flag

    def missing(self, key: str, beside: str) -> str:
        """Returns what an absent setting is called in the place in which another one stands."""
        source = self._origins.get(beside, BY_DEFAULT).source
        return key if source is Source.FILE else SETTINGS[key].flag

    def problem(self, key: str, text: str, *others: str) -> Problem:
        """Returns a problem of a setting and others; where a file has the first, with its line."""
        origin = self._origins.get(key, BY_DEFAULT)
        place = origin.place if origin.source is Source.FILE else ""
        return Problem(place, text, (key, *others))

    def addresses(self) -> list[str]:
        return [str(self.value(key)) for key in ("listen", "admin_listen") if self.has(key)]


def contradictions(values: Mapping[str, Value], origins: Mapping[str, Origin]) -> Iterator[Problem]:
    """Yields what contradicts each other, or would have no effect although it looks as if it had."""
    judged = _Judged(values, origins)
    yield from _of_tls(judged)
    yield from _of_addresses(judged)
    yield from _of_store(judged)
    if judged.has("no_auth") and judged.has("token_config"):
        no_auth, tokens = judged.name("no_auth"), judged.name("token_config")
        text = f"{no_auth} lets everybody in, whatever {tokens} says: leave one out"
        yield judged.problem("no_auth", text, "token_config")
    for less, more in _ORDERED:
        least, greatest = judged.value(less), judged.value(more)
        assert isinstance(least, int | float)
        assert isinstance(greatest, int | float)
        if least > greatest:
            place = less if judged.is_given(less) else more
            text = f"{less} is {least:,}, more than {more} with {greatest:,}: lower one or raise the other"
            yield judged.problem(place, text, less, more)


def _of_tls(judged: _Judged) -> Iterator[Problem]:
    certificate, key = "tls.certificate", "tls.key"
    authorities, required = "tls.client_authorities", "tls.require_client_certificate"
    of_clients = next((each for each in (authorities, required) if judged.has(each)), "")
    if not judged.has(certificate) and not judged.has(key):
        if of_clients:
            give = f"{judged.missing(certificate, of_clients)} and {judged.missing(key, of_clients)}"
            text = f"{judged.missing(authorities, of_clients)} and {judged.missing(required, of_clients)}"
            yield judged.problem(of_clients, f"{text} need TLS: give {give}, too", certificate, key)
        return
    if not (judged.has(certificate) and judged.has(key)):
        given, missing = (certificate, key) if judged.has(certificate) else (key, certificate)
        text = f"{judged.name(given)} needs {judged.missing(missing, given)}, too"
        yield judged.problem(given, text, missing)
    if judged.has(authorities) and not judged.has(required):
        text = (
            f"{judged.name(authorities)} needs {judged.missing(required, authorities)}, too: gRPC for Python"
            " asks clients for a certificate only if each of them must have one"
        )
        yield judged.problem(authorities, text, required)
    if judged.has(required) and not judged.has(authorities):
        text = (
            f"{judged.name(required)} needs {judged.missing(authorities, required)},"
            " which says whose certificates to accept"
        )
        yield judged.problem(required, text, authorities)


def _of_store(judged: _Judged) -> Iterator[Problem]:
    store = judged.value(STORE_KEY)
    if not isinstance(store, str) or not is_url(store):
        return
    for key, advice in _OF_DIRECTORIES.items():
        if judged.has(key):
            text = (
                f"{judged.name(key)} is for a data directory, and {judged.name(STORE_KEY)} is a URL: {advice}"
            )
            yield judged.problem(key, text, STORE_KEY)


def _of_addresses(judged: _Judged) -> Iterator[Problem]:
    if judged.has("tls.certificate") and all(each.startswith("unix:") for each in judged.addresses()):
        name = judged.name("tls.certificate")
        text = f"a Unix socket has no TLS: leave out {name}, or listen on HOST:PORT"
        yield judged.problem("tls.certificate", text, "listen", "admin_listen")
    if judged.has("admin_listen") and judged.has("no_admin") and judged.has("no_reflection"):
        names = [judged.name(key) for key in ("admin_listen", "no_admin", "no_reflection")]
        text = f"{names[0]} offers nothing with {names[1]} and {names[2]}: leave one of the three out"
        yield judged.problem("admin_listen", text, "no_admin", "no_reflection")
    addresses = [*judged.addresses(), str(judged.value("metrics_listen") or "")]
    distinct = [each for each in addresses if each and not each.endswith(":0")]
    for address in sorted({each for each in distinct if distinct.count(each) > 1}):
        yield Problem("", f"two of listen, admin_listen and metrics_listen are {address}; each needs its own")


def without_effect(values: Mapping[str, Value], origins: Mapping[str, Origin]) -> Iterator[Problem]:
    """Yields the settings that are given and change nothing."""
    judged = _Judged(values, origins)
    for key, origin in origins.items():
        if origin.source is Source.DEFAULT:
            continue
        if key in _OF_CLIENTS:
            yield Problem(origin.place, f"{key} has no effect on a server: other commands read it")
        if key == "log.slow_call_seconds" and not judged.has("log.calls"):
            yield Problem(origin.place, f"{key} has no effect, as log.calls is false")
        if key == "config.answer_read_seconds_beyond" and _is_more(judged, key, "config.answer_read_seconds"):
            text = f"{key} has no effect, as config.answer_read_seconds is less"
            yield Problem(origin.place, text)
        if key.endswith("_count_per_peer_max") and _is_more(judged, key, key.replace("_per_peer", "")):
            text = f"{key} has no effect, as {key.replace('_per_peer', '')} is less"
            yield Problem(origin.place, text)
        if (
            key == "insecure_listen"
            and judged.has(key)
            and all(each.startswith("unix:") for each in judged.addresses())
        ):
            yield Problem(origin.place, f"{key} has no effect on Unix sockets")


def _is_more(judged: _Judged, key: str, other: str) -> bool:
    value, limit = judged.value(key), judged.value(other)
    return isinstance(value, int | float) and isinstance(limit, int | float) and value > limit
