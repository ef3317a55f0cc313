"""The tables of the catalogue, and the number of their format."""

FORMAT_VERSION = 7
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
        " expire_us INTEGER, revoke_us INTEGER, last_use_us INTEGER"
    ),
}
