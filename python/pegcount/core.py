"""The Rust core, as the rest of the service sees it: the only file that imports the extension."""

from pegcount._aggcore import (
    Deck,
    Freeze,
    Partials,
    Pending,
    Rewrite,
    Stop,
    Store,
    active_response,
    check_file,
    check_journal,
    folder_response,
    format_time,
    journal_sequences,
    quality_response,
    record_fields,
    usage_response,
)

__all__ = [
    "Deck",
    "Freeze",
    "Partials",
    "Pending",
    "Rewrite",
    "Stop",
    "Store",
    "active_response",
    "check_file",
    "check_journal",
    "folder_response",
    "format_time",
    "journal_sequences",
    "quality_response",
    "record_fields",
    "usage_response",
]
