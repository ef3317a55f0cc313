"""Every minute, writes the calls of new CSV files, and prints the last day's ASR and the calls in progress.

python quality_service.py 127.0.0.1:50051 inbox

The times in the files have an offset, such as 2026-03-30T08:00:00+02:00. A file goes once its calls are
durable. After a failure it is written again, and its calls count once.
"""

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
from pegcount_client import Client, Record

TEXTS = {name: pl.String for name, kind in Record.__annotations__.items() if "str" in str(kind)}

with Client(sys.argv[1]) as client:
    while True:
        for file in sorted(Path(sys.argv[2]).glob("*.csv")):
            with client.write_records() as writer:
                for call in pl.read_csv(file, schema_overrides=TEXTS, try_parse_dates=True).rows(named=True):
                    writer.write(Record(source="pbx", **call))
            file.unlink()
        day_ago = datetime.now(ZoneInfo("Europe/Kyiv")) - timedelta(days=1)
        hours = client.origination_quality(all_accounts=True, from_time=day_ago, sampling="HOUR").to_polars()
        active = client.active_sessions(return_fields=["orig_clients_name", "quantity"]).to_polars()
        print(hours.write_csv(), active.write_csv(), sep="\n", flush=True)
        time.sleep(60)
