"""Every limit and setting of the service, with its unit, default and meaning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one server. Every limit also appears in the error that it causes."""

    bin_count_max: int = 110_000
    """Bins of one answer; a leap year of five-minute bins is 105,408."""
    cell_count_max: int = 1_000_000
    """Cells (bins times groups) of one answer."""
    filter_value_count_max: int = 10_000
    """Values of one filter list."""
    filter_text_bytes_max: int = 256
    """Bytes of one text in a request; no record carries a longer one."""
    query_seconds_max: float = 30.0
    """Seconds that one report may take, whatever the caller's deadline."""
    active_ttl_seconds: int = 86_400
    """Seconds without an event after which an active session counts as abandoned."""
    request_bytes_max: int = 16 * 1024 * 1024
    """Bytes of one request message; a code deck is the largest."""
    answer_bytes_max: int = 64 * 1024 * 1024
    """Bytes of one answer. A client's own default is 4 MiB."""
    worker_count: int = 8
    """Threads that serve calls; more gained nothing when measured."""
    concurrent_call_count_max: int = 64
    """Calls in progress or waiting; one more is refused at once."""
    stop_grace_seconds: float = 5.0
    """Seconds that calls in progress get to finish when the server stops."""
    seal_row_count: int = 500_000
    """Finished records held in memory before they are sealed into segments."""
    import_batch_row_count: int = 5_000
    """Records of one durable batch of an import."""
