"""The shape in which all answers are compared: rows of whole numbers, those without calls left out."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers import questions
from peers.calls import FROM_US

Answer = NDArray[np.int64]
"""Rows in a fixed order.

Q1 to Q3, S1: start of the bin in Unix seconds, calls, answered calls, milliseconds.
U1: start of the day, sessions, sessions of the seven days that end with it. U2: without the last.
F1: days since the first, folder, agent, calls, answered calls, milliseconds.
A1: level, the three keys (0 where rolled up), sessions, seconds; below that the number of groups.
"""


def of_columns(*columns: object) -> Answer:
    """Rows of whole numbers in the order of their first columns."""
    table = np.column_stack([np.asarray(column).astype(np.int64) for column in columns])
    return np.asarray(table[np.lexsort(table.T[::-1])])


def of_quality(response: reports_pb2.QueryOriginationQualityResponse) -> Answer:
    data = response.data
    table = of_columns(data.t, data.total_calls, data.answered_calls, data.duration_ms)
    assert response.totals.total_calls == table[:, 1].sum()
    return table[table[:, 1] > 0]


def of_usage(response: reports_pb2.QueryAsrUsageResponse) -> Answer:
    starts = [datetime.fromisoformat(of_bin.start_time).timestamp() for of_bin in response.bins]
    counts = [of_bin.session_count for of_bin in response.bins]
    if response.bins[0].HasField("sma"):
        sums = [round(of_bin.sma * questions.SMA_DAYS) for of_bin in response.bins]
        return of_columns(starts, counts, sums)
    table = of_columns(starts, counts)
    return table[table[:, 1] > 0]


def of_folders(response: reports_pb2.QueryFolderStatsResponse) -> Answer:
    rows = [
        (day_number(row.date), last_number(row.folder), last_number(agent.agent_id), *_figures(agent))
        for row in response.rows
        for agent in row.agents
    ]
    table = of_columns(*np.array(rows).T)
    assert [sum(_figures(row)[place] for row in response.rows) for place in range(3)] == list(
        table[:, 3:].sum(axis=0)
    )
    return table


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


def of_groups(columns: Mapping[str, Sequence[object]]) -> Answer:
    """The same of all groups in order: level, the three keys, sessions, milliseconds."""
    keys = [columns[name] for name in questions.KEYS]
    table = np.column_stack(
        [
            np.asarray(columns["level"], np.int64),
            *(_numbers(key) for key in keys),
            np.asarray(columns["quantity"], np.int64),
            np.asarray(columns["milliseconds"], np.int64) // 1_000,
        ]
    )
    level = table[:, 0]
    finest = table[level == len(questions.KEYS)]
    parts = [finest[: questions.ROWS_OF_ACTIVE], *(table[level == number] for number in (1, 2, 0))]
    return np.concatenate([*parts, [[len(finest), 0, 0, 0, 0, 0]]])


def day_number(text: str) -> int:
    """Days since the first day."""
    return int((datetime.fromisoformat(f"{text}T00:00:00Z").timestamp() * US_PER_SECOND - FROM_US) // US_PER_DAY)


def last_number(text: str) -> int:
    """What a name ends with: `folder-07` is 7."""
    return int(text.rpartition("-")[2])


def _numbers(key: Sequence[object]) -> NDArray[np.int64]:
    return np.array(
        [0 if value in (None, "") else last_number(str(value)) for value in key], np.int64
    )


def _figures(message: reports_pb2.FolderStatsRow | reports_pb2.FolderAgentStats) -> tuple[int, int, int]:
    return message.call_count, message.answered_count, message.duration_ms
