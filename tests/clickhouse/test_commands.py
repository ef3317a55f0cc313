"""The commands about a cluster, and those that take one in place of a data directory."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pegcount.cli import app
from typer.testing import CliRunner, Result

from clickhouse.rig import Rig

SECONDS_MAX = 120


def pegcount(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pegcount", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, env=dict(os.environ)
    )


@pytest.fixture
def url(cluster: Rig) -> Iterator[str]:
    database = "commands"
    yield cluster.url(database)
    cluster.ask(f"DROP DATABASE IF EXISTS {database} SYNC")


def invoked(*arguments: str) -> Result:
    """Runs a command in this process, which takes a tenth of the time of one of its own."""
    return CliRunner().invoke(app, arguments)


def test_a_cluster_is_made_shown_and_migrated(url: str) -> None:
    before = invoked("clickhouse", "status", "--store", url)
    assert before.exit_code == 1
    assert "has no tables of Pegcount in commands" in before.stdout
    made = pegcount("clickhouse", "init", "--store", url)
    assert made.returncode == 0
    assert "is complete: 2 shards, tables of version 2" in made.stdout
    assert "pegcount key create" in made.stderr
    assert invoked("clickhouse", "init", "--store", url).stdout == made.stdout
    assert invoked("clickhouse", "migrate", "--store", url).stdout.count("tables of version 2\n") == 2
    shown = json.loads(invoked("clickhouse", "status", "--store", url, "--format", "json").stdout)
    assert shown["problem"] is None
    assert [server["holdings"]["records"] for server in shown["servers"]] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("clickhouse", "init", "--store", "calls"),
            "calls is a directory; name a cluster: --store clickhouse",
        ),
        (
            ("clickhouse", "init", "--store", "clickhous://h1/calls"),
            "it begins with clickhouse:// or, for TLS",
        ),
        (("clickhouse", "promote", "1", "2", "--store", "{}"), "shard 1 has not a replica 2"),
        (("backup", "copy", "--store", "{}"), "let each server back up its tables; docs/clickhouse.md"),
        (("check", "--store", "{}"), "let each server check its tables; docs/clickhouse.md says how"),
        (("export", "out.parquet", "--data", "{}"), "let each server write its records into a file"),
        (("serve", "--store", "{}"), "make it: `pegcount clickhouse init --store"),
        (
            ("serve", "--store", "{}", "--create"),
            "make the tables of a cluster by `pegcount clickhouse init`",
        ),
        (("key", "list", "--store", "{}"), "make it: `pegcount clickhouse init --store"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_next_step(
    url: str, arguments: tuple[str, ...], text: str
) -> None:
    done = invoked(*(each.format(url) for each in arguments))
    assert done.exit_code == 2
    assert text in " ".join(done.stderr.replace("│", " ").split())
