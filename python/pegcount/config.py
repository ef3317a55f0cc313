"""All limits and settings of the service, with unit, default and meaning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Constants that trade speed for memory or work; none changes a figure.

    The fields up to `gil_release_cell_count_min` are those of the core, with the defaults of
    `rust/aggcore/src/tuning.rs`; a store gets its own copy and shares nothing with other stores of the
    process.
    """

    batch_dictionary_row_count_min: int = 32
    """Rows of a batch from which its repeating texts are dictionary-encoded in the journal. A dictionary
    takes some 300 bytes of its own."""
    commit_group_bytes: int = 8 * 2**20
    """Bytes of batches that one group commit writes with one `fdatasync`."""
    interner_entry_count_min: int = 2**14
    """Entries from which an interner of a memtable drops the ones that no row uses, once it has more than
    two entries per row."""
    text_garbage_bytes_min: int = 2**16
    """Bytes of removed texts from which a text column drops them, once they are more than half of it."""
    mask_rows_per_selected_max: int = 8
    """Rows of a chunk per selected row up to which a selection is a mask; with fewer selected rows it is a
    list."""
    histogram_row_count_min: int = 2**8
    """Rows of a slice from which bins are added up from a minute histogram. Below, a binary search per row
    is cheaper than adding up 1,440 minutes."""
    lanes_row_count_min: int = 2**13
    """Rows of a slice from which the histogram uses lanes. Below, adding row by row is cheaper than
    flushing the lanes, which touches 64 KiB."""
    offset_stats_span_max: int = 2**12
    """Span of a key column, by its min/max statistics, below which these serve as the range of its
    offsets; from it on, the rows are searched for their own least and greatest value."""
    direct_id_slot_count_max: int = 2**22
    """Slots that a direct table of dense ids may have, 4 bytes each."""
    direct_id_slots_per_row_max: int = 16
    """Slots that a direct table may have per row. Clearing more costs more than hashing the rows."""
    pooled_id_table_count_max: int = 4
    """Direct tables that the pool of a store holds for the next scan."""
    pooled_id_slot_count_min: int = 2**12
    """Slots from which a direct table is pooled. Below, zeroing a new one is cheaper than taking the lock
    of the pool."""
    parallel_row_count_min: int = 2**16
    """Rows of a scan from which helper threads take part. Fewer are scanned before a helper wakes up."""
    delegated_row_count_min: int = 2**22
    """Rows of a scan of segments from which helper threads run it alone, at low priority."""
    task_row_count_max: int = 2**18
    """Rows of one task of a memtable."""
    account_row_count_estimate: int = 2**13
    """Estimated rows that a scan of one account reads in one segment, including the cost of finding it."""
    helper_thread_count: int = 0
    """Helper threads; 0 is one per core. A single one is not started."""
    helper_niceness: int = 15
    """Niceness of a helper thread on Linux; 0 is normal, 19 the lowest priority."""
    record_versions_bytes_max: int = 512 * 2**10
    """Bytes of the versions and parts of one record from which more are rejected; a part takes about 100."""
    rollup_bytes_max: int = 512 * 2**20
    """Bytes of all rollups of the four reports; beyond, scans read the rows of segments."""
    traffic_rollup_bytes_max: int = 256 * 2**20
    """Bytes of all rollups of traffic scans; beyond, those go that were used least recently."""
    rollup_rows_per_row_min: int = 8
    """Rows of a segment per row of a rollup from which the rollup is stored."""
    rollup_cell_count_max: int = 2**20
    """Maximum cells of the scan that builds a rollup; with more, scans read the rows of the segment."""
    locked_scan_value_count_max: int = 2**25
    """Values (rows times columns; texts and group keys count several times) that a scan reads of the records
    in memory while commits wait. A scan of more values copies them first."""
    copy_step_value_count: int = 2**18
    """Values that a scan copies before it lets waiting commits go on."""
    memtable_step_row_count: int = 1_024
    """Rows in memory that are copied for the active snapshot, or looked at for those of dropped days, each
    time the lock is taken."""
    snapshot_file_row_count_max: int = 2**16
    """Rows of one file of the active snapshot."""
    compaction_segment_count_min: int = 3
    """Least number of segments of one compaction."""
    compaction_small_row_count_max: int = 2**14
    """Total rows of a tier up to which two segments suffice."""
    compaction_size_ratio_max: int = 2
    """Size ratio of a tier: from its third segment on, each has at most this multiple of the rows of all
    smaller ones."""
    compaction_tombstone_percent_max: int = 25
    """Percentage of rows with a tombstone above which a segment is rewritten alone."""
    segment_sync_bytes: int = 4 * 2**20
    """Bytes of a new segment between two syncs. One sync of the whole file would delay the syncs of the
    journal."""
    trial_write_bytes_min: int = 2**20
    """Least bytes of the trial write that ends a fault of the journal: about one batch of a few thousand
    records."""
    watched_directory_count_max: int = 2**12
    """Directories of segments, one per day, that a store has watched for changes. Each report looks at the
    files that it reads in further ones, which takes 1 to 2 µs each; with 0, in all of them."""
    gil_release_cell_count_min: int = 2**11
    """Cells of a result from which building the response releases the GIL. Below, releasing and taking it
    costs more."""
    maintenance_niceness: int = 5
    """Niceness of the thread that flushes and compacts, on Linux; 0 is normal, 19 the lowest priority."""
    maintenance_failures_per_log: int = 60
    """Of consecutive failures of background work, such as on a full disk, one in this number is logged."""
    query_cache_entry_count: int = 256
    """Validated requests that each report caches, by the bytes of the request."""
    cached_request_bytes_max: int = 4_096
    """Bytes of a request up to which it is cached."""
    uncounted_request_bytes_max: int = 2**18
    """Bytes of a request up to which it is parsed before the values of its lists are counted. That takes 4 ms
    at most."""
    row_cost_ns: int = 60
    """Estimated nanoseconds to add up one row."""
    grouped_row_cost_ns: int = 1_900
    """Estimated nanoseconds to add up one row of a report with groups, as each row may be one."""
    bin_cost_ns: int = 480
    """Estimated nanoseconds to make one bin and to write it into the answer."""
    inline_cost_us_max: int = 1_000
    """Estimated microseconds up to which a report runs on the event loop."""
    small_cost_us_max: int = 20_000
    """Estimated microseconds up to which a report is small, and never waits behind large ones."""
    inline_round_us: int = 1_000
    """Microseconds that reports may take in one round of the event loop, before other calls get theirs."""
    large_report_niceness: int = 10
    """Niceness of the threads that run large reports, on Linux; 0 is normal, 19 the lowest priority. With 5,
    small reports waited twice as long beside large ones. Writes wait two to three times as long as with 0 for
    the lock of a memtable that a large report reads, if other work keeps the processor busy."""
    client_reconnect_ms_max: int = 2_000
    """Longest wait in milliseconds before a client reconnects."""
    import_batch_text_chars_max: int = 8 * 2**20
    """Characters of text that one batch of an import retains for the rejects file."""
    reject_kind_count_max: int = 100
    """Kinds of reasons by which an import counts rejected rows; it counts those of further kinds together."""
    reject_kind_shown_count_max: int = 5
    """Kinds of reasons that an import prints, the most frequent ones; the others are counted."""
    ledger_group_row_count_max: int = 50_000
    """Records of the batches that are written to a cluster together; a batch with more is written alone."""
    ledger_piece_row_count: int = 20_000
    """Records that are read from a cluster at once, to rewrite them."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one server or client. The error that a limit causes states the limit."""

    bin_count_max: int = 110_000
    """Bins of one answer. A leap year has 105,408 bins of five minutes."""
    cell_count_max: int = 1_000_000
    """Cells (bins times groups) of one answer."""
    feed_count_max: int = 1_000
    """Maximum sources of a report on feeds that names none."""
    value_count_max: int = 4_000_000
    """Values (bins times groups times metrics) of one answer to the traffic question."""
    filter_value_count_max: int = 10_000
    """Values in one filter list."""
    filter_text_bytes_max: int = 256
    """Bytes of one text that a request compares with a text of a record, which has the same limit. Values of
    lists are compared however long they are."""
    subtotal_count_max: int = 200_000
    """Subtotals of one answer, over all levels of a rollup."""
    query_memory_bytes_max: int = 256 * 1024 * 1024
    """Bytes of memory that the work of one report may take: cells, texts of groups, sort keys, the answer."""
    query_memory_bytes_total_max: int = 2 * 1024 * 1024 * 1024
    """The same of all reports together."""
    query_seconds_max: float = 30.0
    """Seconds that one report may run, even if the caller's deadline is later."""
    notice_seconds_max: float = 2.0
    """Seconds that an answer which counts nothing may wait for notices about values that no record carries,
    and at most half of the time until the caller's deadline; it goes out without them then."""
    notice_worker_count: int = 1
    """Searches for such values that run at once, beside the reports."""
    waiting_notice_count_max: int = 8
    """Searches that wait for a thread; beyond, answers go out without notices about values."""
    return_field_count_max: int = 33
    """Names in `return_fields`: one for each field of a row."""
    order_term_count_max: int = 33
    """Names in `order`: one for each field of a row."""
    violation_count_max: int = 100
    """Violations of one request that its error lists; further ones are counted."""
    code_deck_count_max: int = 100
    """Code decks of one store."""
    loaded_code_deck_count_max: int = 8
    """Code decks that are kept in memory; a deck of 500,000 entries takes some 20 to 350 MB."""
    request_field_count_max: int = 200_000
    """Fields of one long request, those of its messages included, and values of lists that are not packed."""
    code_deck_entry_count_max: int = 500_000
    """Entries of one code deck."""
    credential_scope_count_max: int = 16
    """Scopes of one credential."""
    credential_name_length_max: int = 64
    """Characters of the name of one credential."""
    credential_certificate_name_count_max: int = 16
    """Names of client certificates that stand for one credential."""
    credential_certificate_name_bytes_max: int = 255
    """Bytes of one of these names."""
    credential_data_scope_value_count_max: int = 1_000
    """Values of one data scope, in all its lists together."""
    credential_limit_max: int = 1_000_000
    """The greatest value of a limit that a credential has of its own."""
    credential_lifetime_seconds_max: int = 3_153_600_000
    """Seconds for which a credential may be accepted, 100 years; without a lifetime, it never expires."""
    credential_overlap_seconds_max: int = 2_592_000
    """Seconds for which the present key of a credential may be accepted beside a new one, 30 days."""
    credential_overlap_seconds: int = 86_400
    """The same seconds if a request names none."""
    credential_count_max: int = 1_000
    """Credentials that a store keeps. The one that ended first, by revocation or by time, gives way to a new
    one."""
    credential_notice_seconds: int = 7 * 86_400
    """Seconds before the end of a credential, or of its key, from which reports and the log say so."""
    credential_save_seconds: float = 60.0
    """Seconds between two saves of when credentials were last used."""
    credential_log_seconds: float = 86_400.0
    """Seconds between two lines of the log about a credential that expires soon."""
    active_ttl_seconds: int = 86_400
    """Seconds after the last version that changed it at which an active session counts as abandoned."""
    request_bytes_max: int = 16 * 1024 * 1024
    """Bytes of one request message, which gRPC itself limits: code decks and batches are the largest ones."""
    report_request_bytes_max: int = 4 * 1024 * 1024
    """Bytes of the request of one report."""
    admin_request_bytes_max: int = 64 * 1024
    """Bytes of one request to AdminService other than a code deck."""
    name_request_bytes_max: int = 1_024
    """Bytes of one request to the health or reflection service, which holds one name and is parsed on the
    event loop."""
    request_id_length_max: int = 128
    """Characters of the `x-request-id` of a caller; one that is longer is replaced."""
    metadata_bytes_max: int = 16 * 1024
    """Bytes of the metadata of one call, which gRPC itself limits; each name costs 32 bytes more."""
    token_bytes_max: int = 8 * 1024
    """Bytes of one JSON web token; a longer one is refused unread."""
    remembered_token_count_max: int = 10_000
    """Verified tokens known without another verification, 1 KB each; and refused ones, 0.2 KB each."""
    token_key_look_seconds: float = 1.0
    """Seconds between two looks whether a key file of tokens has changed."""
    answer_bytes_max: int = 64 * 1024 * 1024
    """Bytes of one answer. By default, gRPC clients accept 4 MiB."""
    waiting_inline_report_count_max: int = 64
    """Reports that wait for their turn on the event loop; beyond, calls of the connection with the most
    waiting calls are refused at once."""
    small_worker_count: int = 2
    """Small reports that run on threads at once."""
    waiting_small_report_count_max: int = 64
    """Small reports that wait for a thread; beyond, as for `waiting_inline_report_count_max`."""
    worker_count: int = 2
    """Large reports that run at once. On two cores, 4 answered no more reports than 2, and a small report
    beside them took twice as long."""
    waiting_call_count_max: int = 56
    """Large reports that wait for a thread; beyond, as for `waiting_inline_report_count_max`."""
    unread_answer_bytes_max: int = 128 * 1024 * 1024
    """Bytes of answers that clients have not read yet, in all; beyond, reports are refused to the connections
    that hold the most of them, and beyond twice as many to all. They take twice as much memory, as gRPC
    copies them."""
    unread_answer_bytes_per_connection_max: int = 64 * 1024 * 1024
    """Bytes of unread answers of one credential, over all of its connections, or of one connection where
    nobody is authenticated; beyond, its reports are refused."""
    answer_read_seconds: float = 30.0
    """Seconds within which a client with unread answers must read some of them; otherwise its connection is
    closed."""
    answer_read_seconds_beyond: float = 2.0
    """The same while there are more unread answers than `unread_answer_bytes_max`."""
    credential_calls_per_second: int = 200
    """Calls of one credential in a second, on average, and twice as many at once; 0 is without limit. The
    limits of the credential itself come first, here and below."""
    credential_wait_seconds_max: float = 1.0
    """Seconds that a call beyond this rate waits before it begins; one that would wait for longer is refused.
    Waiting calls are in progress."""
    credential_calls_in_progress: int = 256
    """Calls of one credential in progress at the same time; 0 is without limit."""
    credential_work_ms_per_second: int = 0
    """Estimated processor time of the reports of one credential, milliseconds in a second, on average; 0 is
    without limit. A short turn, and fewer threads than the server has, limit reports all the same."""
    credential_refusals_per_second: int = 50
    """Calls of one credential that its limits refuse in a second, on average, and twice as many at once;
    beyond, the server does not read from its connections for a while; 0 is without limit."""
    limited_credential_count_max: int = 10_000
    """Credentials, and subjects of tokens, whose calls the server counts at the same time."""
    admin_call_count_max: int = 3
    """Admin calls that run at once. Those of one credential leave a thread for others, if there are two."""
    waiting_admin_call_count_max: int = 14
    """Admin calls in the queue; further ones are refused at once."""
    write_stream_count_max: int = 16
    """Concurrent streams that write records. If all are taken, an idle one gives way, or a new one is refused
    at once."""
    write_stream_count_per_peer_max: int = 8
    """Concurrent streams that write records from one client address, or of one credential."""
    write_stream_idle_seconds: float = 600.0
    """Seconds that a write stream may wait for its client before the server ends it; 0 is without limit."""
    stream_yield_seconds: float = 10.0
    """Seconds that a stream must have waited for its client to give way to a new one."""
    stream_look_seconds: float = 0.1
    """Seconds between two looks for streams that are idle for too long, or of old connections."""
    stream_batch_count_max: int = 8
    """Unanswered batches of one stream; the server reads the next batch after it has answered one."""
    reflection_stream_count_max: int = 8
    """Concurrent reflection streams; beyond, an idle one gives way, or a new one is refused at once."""
    reflection_stream_count_per_peer_max: int = 4
    """Concurrent reflection streams from one client address."""
    watch_stream_count_max: int = 64
    """Concurrent streams that watch traffic. If all are taken, one whose client reads nothing gives way, or a
    new one is refused at once."""
    watch_stream_count_per_peer_max: int = 32
    """Concurrent streams that watch traffic from one client address, or of one credential."""
    watch_stream_idle_seconds: float = 60.0
    """Seconds that a stream which watches traffic may wait for its client to read a message before the server
    ends it; 0 is without limit."""
    watch_silence_seconds: float = 25.0
    """Seconds without a change after which a stream that watches traffic gets a message all the same. Clients
    rely on one within 30 s."""
    watch_retry_seconds_max: float = 60.0
    """Seconds for which streams that watch traffic outlast evaluations that fail, as where a store is
    unavailable for a while; then they end with the error."""
    watch_value_count_max: int = 250_000
    """Values (bins times groups times metrics) of a watched answer; also groups times rules of a stream."""
    health_watch_count_max: int = 32
    """Concurrent `Watch` streams of the health service; further ones are refused. `Check` is unlimited."""
    health_watch_count_per_peer_max: int = 16
    """Concurrent `Watch` streams from one client address."""
    request_read_seconds: float = 10.0
    """Seconds within which the request message of a call must have arrived, and within which a new connection
    must have said that it speaks HTTP/2."""
    unread_call_count_max: int = 8_192
    """Calls that wait for their request message; beyond, the one that has waited for longest ends."""
    calls_per_connection_max: int = 24
    """Calls in progress of one connection. gRPC clients know the limit and queue further calls themselves,
    which costs the server nothing; more would wait in the server until their deadlines pass."""
    keepalive_seconds: float = 30.0
    """Seconds without data after which the server pings a client."""
    keepalive_timeout_seconds: float = 10.0
    """Seconds within which a client must answer a ping; otherwise its connection is closed."""
    client_ping_seconds_min: float = 9.0
    """Seconds between two pings of a client, with or without calls; a client that pings more often is
    disconnected. Less than the documented 10 s, as clocks and networks vary."""
    connection_age_seconds_max: float = 1_800.0
    """Seconds after which the calls of a connection must move to a new one, so that a load balancer can
    choose again; 0 is without limit."""
    connection_age_grace_seconds: float = 30.0
    """Seconds that calls in progress get beyond `connection_age_seconds_max`."""
    connection_idle_seconds_max: float = 900.0
    """Seconds after which a connection without calls is closed; 0 is without limit."""
    abandoned_calls_per_second_max: float = 20.0
    """Calls per second that a client may begin and give up at once, or that may be refused for their
    credential; beyond the burst it is disconnected."""
    abandoned_call_burst_max: int = 200
    """Such calls in a burst."""
    control_bytes_per_second_max: int = 64 * 1024
    """Bytes per second that a connection may receive beyond its messages and `call_overhead_bytes`."""
    control_burst_bytes_max: int = 256 * 1024
    """Bytes that a connection may receive beyond that in a burst; then it is disconnected."""
    call_overhead_bytes: int = 8 * 1024
    """Bytes of metadata and control frames that one call may cost."""
    connection_look_seconds: float = 0.2
    """Seconds between two looks at the sockets of the server."""
    free_file_count_min: int = 24
    """Files that the process must still be able to open; below, idle connections are closed."""
    overload_retry_seconds: float = 1.0
    """Seconds after which the caller may retry a call that was refused for overload."""
    starting_retry_seconds: float = 1.0
    """Seconds after which the caller may retry a call that came while the server opened its store."""
    tls_look_seconds: float = 0.25
    """Seconds between two looks at the files of TLS; changed ones are read at the second look that finds them
    the same."""
    certificate_warning_days: int = 14
    """Days before a certificate expires from which the log says so once a day."""
    freed_memory_look_seconds: float = 10.0
    """Seconds between two looks whether the process holds memory that it has freed."""
    freed_memory_bytes_min: int = 32 * 1024 * 1024
    """Bytes of memory beyond what the process held at its start from which it gives back what is freed."""
    health_look_seconds: float = 0.5
    """Seconds between two polls of the store that set the health of RecordService."""
    stop_grace_seconds: float = 5.0
    """Seconds that a stopping server gives calls in progress to finish."""
    stream_answer_bytes_max: int = 4 * 1024 * 1024
    """Bytes of rejected records, in answers that a client has not read, from which its stream is not read."""
    batch_row_count_max: int = 100_000
    """Records of one batch."""
    call_seconds_max: int = 7 * 86_400
    """Seconds between the setup and the end of a new record; a longer one is rejected."""
    batch_id_bytes_max: int = 256
    """Bytes of the id of one batch."""
    source_rule_bytes_max: int = 256
    """Bytes of the names of the source and of the rule in the `source_rule` of a batch."""
    correction_wait_seconds: float = 5.0
    """Seconds for which a batch of corrections waits while another stream corrects records of its source;
    then it is refused. The server notices within them that a stream has ended."""
    corrected_source_count_max: int = 100
    """Sources whose records one stream may correct; a batch with further ones is refused."""
    document_bytes_max: int = 1024 * 1024
    """Bytes of one settings document of a store."""
    change_seconds_max: float = 30.0
    """Seconds that a store which asks other servers may take to read or change a setting, where the caller
    has no deadline."""
    ledger_commit_seconds_max: float = 10.0
    """Seconds that a store which writes to other servers tries to make something of a batch durable."""
    deletion_count_max: int = 1_000
    """Deletions whose rules a store keeps; further ones need another to be lifted."""
    deletion_session_id_count_max: int = 10_000
    """Session ids of one deletion."""
    deletion_session_id_total_max: int = 100_000
    """Session ids of all deletions whose rules a store keeps."""
    deletion_request_bytes_max: int = 4 * 1024 * 1024
    """Bytes of one request to delete records or to erase numbers."""
    audit_entry_count_max: int = 100_000
    """Audit entries that a store keeps; the oldest go. Each may take some 1.5 kB of memory."""
    audit_request_length_max: int = 1_000
    """Characters of the request that an audit entry keeps; one that has more is replaced by its size."""
    audit_list_count_max: int = 1_000
    """Audit entries of one answer."""
    audit_denied_calls_per_minute_max: int = 10
    """Denied calls of one credential that the audit log takes in a minute, and as many that cannot be read;
    further ones are not noted."""
    erasure_party_count_max: int = 1_000
    """Numbers of parties of one erasure."""
    erased_party_total_max: int = 100_000
    """Numbers of parties of all erasures that a store holds writes to."""
    waiting_bytes_max: int = 64 * 1024 * 1024
    """Bytes of batches in the commit queue. When it is full, the caller commits a group (back-pressure)."""
    counted_source_count_max: int = 200
    """Sources whose written records are counted by name, for metrics; further ones are counted together under
    the empty name, with the records without a source."""
    rejection_save_seconds: float = 5.0
    """Seconds between two times that the counts of rejected records by source and day are saved, if there are
    new ones. A process that is killed loses those of about as many seconds, a clean end none."""
    unsealed_row_count_max: int = 4_000_000
    """Finished records in memory above which batches are refused, until some records are sealed."""
    seal_row_count: int = 200_000
    """Finished records in memory at which they are sealed, that is, flushed into segments."""
    seal_age_seconds: float = 300.0
    """Seconds after the last seal at which fewer finished records than `seal_row_count` are sealed, too."""
    journal_bytes_max: int = 128 * 1024 * 1024
    """Bytes of the journal above which a seal also writes an active snapshot, which empties the journal."""
    active_copy_row_count: int = 50_000
    """Active sessions up to which every seal writes an active snapshot, however short the journal is."""
    segment_row_count_max: int = 1_000_000
    """Maximum records of one segment."""
    maintenance_seconds: float = 1.0
    """Seconds between two checks whether to seal, compact segments, or drop old days."""
    lock_wait_seconds_max: float = 60.0
    """Seconds that a backup or an export waits for the lock of the readers, which the owner holds while it
    removes files."""
    lock_wait_log_seconds: float = 1.0
    """Seconds of such a wait after which it says so."""
    lock_look_seconds: float = 0.05
    """Seconds between two tries to take that lock."""
    reader_stalled_seconds: float = 600.0
    """Seconds that replaced files wait for a backup or an export before the log says so, and between two such
    lines."""
    clock_deviation_seconds_max: float = 86_400.0
    """Seconds between the clock and the trusted time up to which days are dropped by the clock; beyond, by
    the trusted time."""
    clock_agreement_seconds: float = 3_600.0
    """Seconds for which the clock must agree with the monotonic clock to become the trusted time."""
    clock_drift_seconds_max: float = 60.0
    """Seconds by which the clock may drift from the monotonic clock while both agree."""
    clock_look_seconds_max: float = 60.0
    """Seconds between two looks at the clock of which at most these count as agreement."""
    clock_downtime_seconds_max: float = 86_400.0
    """Seconds in all by which the clock may have moved on while the machine was off for an agreement to go
    on."""
    clock_save_seconds: float = 3_600.0
    """Seconds between two saves of the trusted time."""
    clock_progress_save_seconds: float = 60.0
    """Seconds between two saves while the clock is refused; they include how long it has agreed."""
    clock_log_seconds: float = 3_600.0
    """Seconds between two lines of the log that say that the clock is refused."""
    import_batch_row_count: int = 5_000
    """Records of one batch of an import."""
    reported_call_row_count_max: int = 1_000
    """Rows of one call that `pegcount import --report-calls` keeps and prints; further ones are counted."""
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
    tuning: Tuning = Tuning()
    """Constants that trade speed for memory or work; none changes a figure."""


class LiveConfig:
    """The settings of a running server. `now` has the present ones; whoever reads a reloadable field reads it
    there at each use, on any thread.
    """

    def __init__(self, config: Config) -> None:
        self.now = config
        """Replaced as a whole, so that a reader never sees some fields of an old and some of a new one."""

    @classmethod
    def of(cls, config: "Config | LiveConfig") -> "LiveConfig":
        """Returns live settings: those given, or settings that never change."""
        return config if isinstance(config, LiveConfig) else cls(config)

    def overload_retry_seconds(self) -> float:
        """Returns the present `Config.overload_retry_seconds`."""
        return self.now.overload_retry_seconds
