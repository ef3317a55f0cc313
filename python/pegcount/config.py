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
    """Reports and admin calls that run at once; more gained nothing when measured."""
    waiting_call_count_max: int = 56
    """Reports and admin calls that wait for others to end; one more is refused at once."""
    write_stream_count_max: int = 16
    """Streams that write records at once; one more is refused at once."""
    stream_batch_count_max: int = 8
    """Batches of one stream that were read and not answered yet; further ones are not read."""
    reflection_stream_count_max: int = 8
    """Streams that ask for descriptors at once; one more is refused at once."""
    health_watch_count_max: int = 32
    """Streams that watch health at once; one more is refused at once. Checks have no such limit."""
    concurrent_call_count_max: int = 1_024
    """Calls of all kinds that gRPC itself holds, those about to be refused too; beyond it refuses barely."""
    overload_retry_seconds: float = 1.0
    """Seconds after which a caller who was refused for overload may try again."""
    health_look_seconds: float = 0.5
    """Seconds between two looks at whether the store can write, which health tells."""
    stop_grace_seconds: float = 5.0
    """Seconds that calls in progress get to finish when the server stops."""
    batch_row_count_max: int = 100_000
    """Records of one batch."""
    waiting_bytes_max: int = 64 * 1024 * 1024
    """Bytes of batches that wait to be made durable; whoever brings more writes some first."""
    unsealed_row_count_max: int = 4_000_000
    """Finished records in memory; while sealing is that far behind, batches are refused."""
    seal_row_count: int = 200_000
    """Finished records in memory that are sealed into segments."""
    seal_age_seconds: float = 300.0
    """Seconds after which finished records in memory are sealed however few they are."""
    journal_bytes_max: int = 128 * 1024 * 1024
    """Bytes of journal above which a seal takes a copy of the active sessions too and empties it."""
    active_copy_row_count: int = 50_000
    """Active sessions up to which every seal does so."""
    segment_row_count_max: int = 1_000_000
    """Records of one segment."""
    maintenance_seconds: float = 1.0
    """Seconds between two looks at whether to seal, merge segments, or drop old days."""
    import_batch_row_count: int = 5_000
    """Records of one durable batch of an import."""
    import_batch_bytes_max: int = 12 * 1024 * 1024
    """Bytes of one batch of an import; a larger one is halved. Below what a server takes by default."""
    import_batch_in_flight_max: int = 4
    """Batches of an import that are on their way to the disk at once."""
    export_piece_row_count: int = 65_536
    """Records of an export that are in memory at once; a row group of Parquet."""
    retry_count_max: int = 8
    """Times in a row that a client tries again to write what a server did not acknowledge."""
    retry_seconds_min: float = 0.2
    """Seconds before a client tries again for the first time; each further time takes twice as long."""
    retry_seconds_max: float = 10.0
    """Seconds that a client waits at most before it tries again, unless the server asks for more."""
