"""The common form in which all answers are compared: integer rows, without rows that have no calls."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pegcount.v1 import reports_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficResponse, TrafficColumn, TrafficMetric
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers import questions
from peers.calls import DAYS, FROM_US

Answer = NDArray[np.int64]
"""Rows in a fixed order.

Q1 to Q3, S1: start of the bin in Unix seconds, calls, answered calls, milliseconds.
U1: day, sessions, sessions of the seven days that end with it. U2: start of the bin, sessions.
F1: day, folder, agent, calls, answered calls, milliseconds.
T1, T3: day, vendor, calls, answered calls, milliseconds, delivered calls, short calls, calls with the cause
17, milliseconds of ringing. T2: day, vendor, calls.
T4: start of the minute in Unix seconds, greatest number of simultaneous calls. T5: the same, calls.
A1: level, the three keys (0 if rolled up), sessions, seconds; the last row has the number of groups.
Days are numbered from the first day of the traffic.
"""

_FROM_S = FROM_US // US_PER_SECOND


def of_columns(*columns: object) -> Answer:
    """Combines columns to integer rows, sorted by the columns from left to right."""
    table = np.column_stack([np.asarray(column).astype(np.int64) for column in columns])
    return np.asarray(table[np.lexsort(table.T[::-1])])


def of_quality(response: reports_pb2.QueryOriginationQualityResponse) -> Answer:
    data = response.data
    table = of_columns(data.t, data.total_calls, data.answered_calls, data.duration_ms)
    assert response.totals.total_calls == table[:, 1].sum()
    return table[table[:, 1] > 0]


def of_usage(response: reports_pb2.QueryAsrUsageResponse) -> Answer:
    counts = [of_bin.session_count for of_bin in response.bins]
    if response.bins[0].HasField("sma"):
        days = [day_number(of_bin.start_time[:10]) for of_bin in response.bins]
        return of_columns(days, counts, [round(of_bin.sma * questions.SMA_DAYS) for of_bin in response.bins])
    starts = [datetime.fromisoformat(of_bin.start_time).timestamp() for of_bin in response.bins]
    table = of_columns(starts, counts)
    return table[table[:, 1] > 0]


def of_folders(response: reports_pb2.QueryFolderStatsResponse) -> Answer:
    rows = [
        (day_number(row.date), last_number(row.folder), last_number(agent.agent_id), *_figures(agent))
        for row in response.rows
        for agent in row.agents
    ]
    table = of_columns(*np.array(rows).T)
    assert [sum(_figures(row)[i] for row in response.rows) for i in range(3)] == list(
        table[:, 3:].sum(axis=0)
    )
    return table


def of_traffic(response: QueryTrafficResponse) -> Answer:
    """Converts quotients to the sums that they are of."""
    figures: Mapping[TrafficMetric, TrafficColumn] = {
        column.metric.metric: column for column in response.columns
    }
    vendors = [last_number(group.keys[0].text) for group in response.groups]
    days = (np.array(response.t) - _FROM_S) // (US_PER_DAY // US_PER_SECOND)
    calls = np.array(figures[TrafficMetric.TRAFFIC_METRIC_CALLS].integers)
    assert response.totals[0].integers[0] == calls.sum()
    columns = [np.tile(days, len(vendors)), np.repeat(vendors, len(days)), calls]
    if len(figures) > 1:
        columns += _traffic_sums(figures, calls)
    table = of_columns(*columns)
    return table[table[:, 2] > 0]


def of_minutes(response: QueryTrafficResponse) -> Answer:
    table = of_columns(response.t, response.columns[0].integers)
    return table[table[:, 1] > 0]


def _traffic_sums(
    figures: Mapping[TrafficMetric, TrafficColumn], calls: NDArray[np.int64]
) -> list[NDArray[np.int64]]:
    def product(metric: TrafficMetric, factor: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.asarray(np.rint(np.nan_to_num(figures[metric].doubles) * factor).astype(np.int64))

    answered = np.array(figures[TrafficMetric.TRAFFIC_METRIC_ANSWERED].integers)
    assert np.array_equal(product(TrafficMetric.TRAFFIC_METRIC_ASR, calls / 100), answered)
    return [
        answered,
        product(TrafficMetric.TRAFFIC_METRIC_ACD, answered * 1_000.0),
        product(TrafficMetric.TRAFFIC_METRIC_NER, calls / 100),
        np.array(figures[TrafficMetric.TRAFFIC_METRIC_SHORT_CALLS].integers),
        np.array(figures[TrafficMetric.TRAFFIC_METRIC_CALLS_WITH_CAUSE].integers),
        product(TrafficMetric.TRAFFIC_METRIC_RING_TIME_MEAN, answered * 1_000.0),
    ]


def of_active(response: reports_pb2.QueryActiveSessionsResponse) -> Answer:
    rows = [*((len(questions.KEYS), row) for row in response.rows)]
    rows += [(row.level, row) for row in response.subtotals] + [(0, response.total)]
    table = [
        (
            level,
            last_number(row.orig_clients_name) if level > 0 else 0,
            row.equipment_id if level > 1 else 0,
            last_number(row.term_clients_name) if level == len(questions.KEYS) else 0,
            row.quantity,
            row.duration,
        )
        for level, row in rows
    ]
    return np.array([*table, (response.row_count, 0, 0, 0, 0, 0)], np.int64)


def of_table(name: str, table: pa.Table) -> Answer:
    """Converts a peer's table. Its first column is the bin number, except for A1."""
    if name == "A1":
        return _of_groups(table)
    first, *values = [numbers(column) for column in table.columns]
    if name == "U1":
        return _moving_sums(first, values[0])
    if name in questions.BIN_SECONDS:
        first = _FROM_S + first * questions.BIN_SECONDS[name]
    return of_columns(first, *values)


def numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Converts a column to integers: of a name its numeric suffix, 0 for null."""
    if pa.types.is_dictionary(column.type):
        column = column.combine_chunks()
        names = np.array([last_number(name) for name in column.dictionary.to_pylist()] or [0], np.int64)
        return np.asarray(names[numbers(column.indices)])
    return np.asarray(column.fill_null(0).cast(pa.int64()).to_numpy())


def _moving_sums(days: NDArray[np.int64], counts: NDArray[np.int64]) -> Answer:
    """Computes the sums of a moving average from daily counts, including the six warm-up days."""
    before = questions.SMA_DAYS - 1
    padded = np.zeros(before + DAYS, np.int64)
    padded[days + before] = counts
    sums = np.convolve(padded, np.ones(questions.SMA_DAYS, np.int64), "valid")
    return of_columns(np.arange(DAYS), padded[before:], sums)


def _of_groups(table: pa.Table) -> Answer:
    """Sorts groups like the report. The third column from the right has a bit for each rolled-up key."""
    *keys, rolled_up, quantity, milliseconds = [numbers(column) for column in table.columns]
    level = len(questions.KEYS) - np.ceil(np.log2(rolled_up + 1)).astype(np.int64)
    group_keys = [np.where(level > i, key, 0) for i, key in enumerate(keys)]
    rows = np.column_stack([level, *group_keys, quantity, milliseconds // 1_000])
    finest = rows[level == len(questions.KEYS)]
    levels = [finest[: questions.ROWS_OF_ACTIVE], *(rows[level == key_count] for key_count in (1, 2, 0))]
    return np.concatenate([*levels, [[len(finest), 0, 0, 0, 0, 0]]])


def day_number(text: str) -> int:
    """Returns the days since the first day of the traffic."""
    return int(
        (datetime.fromisoformat(f"{text}T00:00:00Z").timestamp() * US_PER_SECOND - FROM_US) // US_PER_DAY
    )


def last_number(text: str) -> int:
    """Returns the numeric suffix of a name: `folder-07` becomes 7."""
    return int(text.rpartition("-")[2])


def _figures(message: reports_pb2.FolderStatsRow | reports_pb2.FolderAgentStats) -> tuple[int, int, int]:
    return message.call_count, message.answered_count, message.duration_ms
