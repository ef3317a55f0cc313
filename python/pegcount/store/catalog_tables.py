"""The tables of the catalogue, and the number of their format."""

FORMAT_VERSION = 9
OLDEST_FORMAT_VERSION = 3
"""Older directories were written before the first release."""

_FILE = "name TEXT PRIMARY KEY, rows INTEGER, bytes INTEGER, crc32 INTEGER, summary BLOB"
TABLES = {
    "segments": f"{_FILE}, day INTEGER, dead BLOB",
    "active": _FILE,
    "journals": "sequence INTEGER PRIMARY KEY, is_lost INTEGER",
    "code_decks": "id INTEGER PRIMARY KEY, entry_count INTEGER, name TEXT, bytes INTEGER, crc32 INTEGER",
    "settings": "name TEXT PRIMARY KEY, value INTEGER",
    "deletions": (
        "rule_id INTEGER PRIMARY KEY, source TEXT, from_us INTEGER, to_us INTEGER,"
        " session_id_count INTEGER, session_ids BLOB, create_us INTEGER, deleted INTEGER"
    ),
    "credentials": (
        "id TEXT PRIMARY KEY, name TEXT, scopes TEXT, certificate_names TEXT, keys TEXT, create_us INTEGER,"
        " expire_us INTEGER, revoke_us INTEGER, last_use_us INTEGER, data_scope TEXT, limits TEXT"
    ),
    "erasures": (
        "erasure_id INTEGER PRIMARY KEY, digests BLOB, party_count INTEGER, create_us INTEGER,"
        " records INTEGER, is_complete INTEGER"
    ),
    "scrubbed": "name TEXT PRIMARY KEY, erasure_id INTEGER, keep_digits INTEGER",
    "audit": (
        "entry_id INTEGER PRIMARY KEY, time_us INTEGER, method TEXT, caller_id TEXT, caller_name TEXT,"
        " request TEXT, outcome TEXT, request_id TEXT"
    ),
}
DIGESTED = tuple(name for name in TABLES if name != "audit")
"""Tables whose rows the digest covers. To make it takes longer the more rows there are, and each transaction
does: of the audit entries, the settings have the first and the last number, between which none is missing."""
