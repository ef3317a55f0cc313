#!/usr/bin/env bash
# Imports the sample files, starts a server, requests the four reports, and stops the server.
#   samples/demo.sh PEGCOUNT
set -euo pipefail
cd "$(dirname "$0")"
pegcount=$1
work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill -TERM "$server" && wait "$server"; fi
    rm -rf "$work"
}
trap finish EXIT

run() {
    printf '\n$ pegcount %s\n' "$*"
    "$pegcount" "$@"
}

import() {
    run import --data "$work/data" --rejects "$work/rejects.csv" "$@"
}

cat <<END
demo: imports the files of samples/ into a directory that it removes again, starts a server, and asks it for
the four reports, in about 5 seconds. Lines with \$ are the commands.
END
import --format asterisk-csv --source pbx1 --time-zone Europe/Berlin asterisk-master.csv
import --format freeswitch-csv --source fs1 --time-zone Europe/Berlin freeswitch.csv
import --format freeswitch-json --source fs2 freeswitch.jsonl
import --format freeswitch-xml --source fs3 freeswitch.xml
import --format yeti-csv --source yeti yeti.csv
import --format pegcount-csv --source demo pegcount.csv

"$pegcount" serve --data "$work/data" --listen 127.0.0.1:0 --metrics-listen none >"$work/serve.log" 2>&1 &
server=$!
address=
for _ in $(seq 100); do
    address=$(sed -n 's/^listening on //p' "$work/serve.log")
    if [ -n "$address" ]; then break; fi
    sleep 0.1
done
if [ -z "$address" ]; then
    cat "$work/serve.log" >&2
    exit 1
fi

ask() {
    run "$@" --server "$address"
}

ask deck import --id 1 deck.csv
ask report usage --from 2026-03-28 --to 2026-03-31 --kind ASR --sma-period 2 --time-zone Europe/Berlin
ask report active orig_clients_name term_rates_country quantity duration --order=-quantity --rollup --code-deck 1
ask report folders acme support --from 2026-03-28 --to 2026-03-30
ask report quality --account 1001 --from 2026-03-28 --to 2026-03-31 --sampling DAY
