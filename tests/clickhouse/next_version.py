"""Pegcount with one more version of the tables, to run beside the present one as after an upgrade.

python next_version.py COMMAND ...
"""

import sys

from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.tables.migrations import MIGRATIONS, Migration

NEXT = Migration(
    statements=(
        "ALTER TABLE ledger ADD COLUMN IF NOT EXISTS ring_us Int64"
        f" DEFAULT if(answer_time = {ABSENT}, {ABSENT}, answer_time - setup_time)",
        "ALTER TABLE ledger ADD PROJECTION IF NOT EXISTS rings"
        " (SELECT state, ring_us, sum(sign) GROUP BY state, ring_us)",
        "CREATE TABLE IF NOT EXISTS notes (text String) ENGINE = MergeTree ORDER BY text",
    ),
    new_fields=frozenset({"part_class"}),
)
"""What a step may add, and a field of records that counts as new."""

if __name__ == "__main__":
    del sys.path[0]  # Modules of the tests must not hide those of others.
    from pegcount.cli import main

    MIGRATIONS[max(MIGRATIONS) + 1] = NEXT
    main()
