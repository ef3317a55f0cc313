"""All limits and settings of the service, with unit, default and meaning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one server or client. The error that a limit causes states the limit."""

    bin_count_max: int = 110_000
    """Bins of one answer. A leap year has 105,408 bins of five minutes."""
    cell_count_max: int = 1_000_000
    """Cells (bins times groups) of one answer."""
    filter_value_count_max: int = 10_000
    """Values in one filter list."""
    filter_text_bytes_max: int = 256
    """Bytes of one text in a request, the same limit as for a text of a record."""
    query_seconds_max: float = 30.0
    """Seconds that one report may run, even if the caller's deadline is later."""
    active_ttl_seconds: int = 86_400
    """Seconds after its last event at which an active session counts as abandoned."""
    request_bytes_max: int = 16 * 1024 * 1024
    """Bytes of one request message. Code decks are the largest requests."""
    answer_bytes_max: int = 64 * 1024 * 1024
    """Bytes of one answer. By default, gRPC clients accept 4 MiB."""
    worker_count: int = 8
    """Reports and admin calls that run at once. A higher count did not increase the measured throughput."""
    waiting_call_count_max: int = 56
    """Reports and admin calls in the queue; further calls are refused at once."""
    write_stream_count_max: int = 16
    """Concurrent streams that write records; further streams are refused at once."""
    stream_batch_count_max: int = 8
    """Unanswered batches of one stream; the server reads the next batch after it has answered one."""
    reflection_stream_count_max: int = 8
    """Concurrent reflection streams; further streams are refused at once."""
    health_watch_count_max: int = 32
    """Concurrent `Watch` streams of the health service; further ones are refused. `Check` is unlimited."""
    concurrent_call_count_max: int = 1_024
    """Concurrent calls in gRPC, of all kinds. Beyond it gRPC answers RESOURCE_EXHAUSTED without details."""
    overload_retry_seconds: float = 1.0
    """Seconds after which the caller may retry a call that was refused for overload."""
    health_look_seconds: float = 0.5
    """Seconds between two polls of the store that set the health of RecordService."""
    stop_grace_seconds: float = 5.0
    """Seconds that a stopping server gives calls in progress to finish."""
    batch_row_count_max: int = 100_000
    """Records of one batch."""
    waiting_bytes_max: int = 64 * 1024 * 1024
    """Bytes of batches in the commit queue. When it is full, the caller commits a group (back-pressure)."""
    unsealed_row_count_max: int = 4_000_000
    """Finished records in memory above which batches are refused, until some records are sealed."""
    seal_row_count: int = 200_000
    """Finished records in memory at which they are sealed, that is, flushed into segments."""
    seal_age_seconds: float = 300.0
    """Seconds after the last seal at which fewer finished records than `seal_row_count` are sealed, too."""
    journal_bytes_max: int = 128 * 1024 * 1024
    """Bytes of the journal above which a seal also copies the active sessions, which empties the journal."""
    active_copy_row_count: int = 50_000
    """Active sessions up to which every seal copies them, however short the journal is."""
    segment_row_count_max: int = 1_000_000
    """Records of one segment."""
    maintenance_seconds: float = 1.0
    """Seconds between two checks whether to seal, compact segments, or drop old days."""
    import_batch_row_count: int = 5_000
    """Records of one batch of an import."""
    import_batch_bytes_max: int = 12 * 1024 * 1024
    """Bytes of one batch of an import; a larger batch is halved. Less than `request_bytes_max`."""
    import_batch_in_flight_max: int = 4
    """Batches that an import has submitted and that are not durable yet."""
    export_piece_row_count: int = 65_536
    """Records that an export holds in memory at once; also the rows of a Parquet row group."""
    retry_count_max: int = 8
    """Consecutive retries of unacknowledged batches before a client gives up."""
    retry_seconds_min: float = 0.2
    """Seconds before a client's first retry. The delay doubles with each further retry."""
    retry_seconds_max: float = 10.0
    """Upper limit in seconds of a client's retry delay. A delay that the server asks for is added to it."""
