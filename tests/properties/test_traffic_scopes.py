"""A caller with a data scope learns nothing of the records of others by the traffic question.

What it gets is, to the byte, what a store that has only its records would answer. `PEGCOUNT_SCOPE_DRAWS` is
the number of requests; a tenth of them are of this kind.
"""

import os
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from oracle.traffic import figures, occupancy
from pegcount.data_scope import DataScope, Metric
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse
from seeds import chance

from . import scoped_worlds
from .scoped_stores import ScopedStore, merged

_COUNT = int(os.environ.get("PEGCOUNT_SCOPE_DRAWS", "4000")) // 10
_SCOPES_PER_WORLD = 3
_REQUESTS_PER_SCOPE = 40
_IN_MEMORY = Path("/dev/shm")
_DIMENSIONS: dict[str, tuple[Any, ...]] = {
    "TENANT_ID": scoped_worlds.TENANTS,
    "ACCOUNT_ID": scoped_worlds.ACCOUNTS,
    "ORIG_CLIENTS_ID": scoped_worlds.CLIENTS,
    "TERM_CLIENTS_ID": scoped_worlds.CLIENTS,
    "TERM_CLIENTS_NAME": ("east", "west"),
    "SOURCE": scoped_worlds.SOURCES,
    "COMPANY": scoped_worlds.COMPANIES,
    "FOLDER": ("f1", "f2"),
    "APP_ID": (5, 6),
    "ORIG_RATES_CODE": ("49", "44"),
    "WEEKDAY": (1, 7),
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    **{name: {"threshold_ms": 60_000} for name in ("short_calls", "short_share", "answered_within")},
    **{name: {"percentile": 50} for name in figures.PERCENTILES},
    "calls_with_cause": {"causes": [16]},
}
_GRANULARITIES = tuple(f"GRANULARITY_{name}" for name in ("UNSPECIFIED", "HOUR", "DAY", "WEEK"))
_TELL_ANSWERS = {"answered", "failed", "asr", "answered_within", "ring_time_mean", "ring_time_percentile"}
_TELL_DURATIONS = {
    *("duration_ms", "acd", "short_calls", "short_share", "duration_percentile"),
    *occupancy.METRICS,
}
_TELL_PRICES = {*figures.MONEY, "unrated"}


def test_a_data_scope_shows_what_a_store_of_its_records_would() -> None:
    tally: Counter[str] = Counter()
    world = 0
    while tally.total() < _COUNT:
        _check_world(f"{world}", tally)
        world += 1
    print(dict(tally))
    assert tally["figures"] > tally.total() // 10
    assert tally["ACCESS_DENIED"] > 0


def _check_world(name: str, tally: Counter[str]) -> None:
    dice = chance("traffic and data scopes", name)
    base = Path(tempfile.mkdtemp(prefix="pegcount-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None))
    sessions = scoped_worlds.sessions(dice, dice.choice((0, 60, 150)))
    with ScopedStore(base / "all", dice) as everything:
        everything.write(sessions)
        for number in range(_SCOPES_PER_WORLD):
            scope = scoped_worlds.scope(dice)
            own = [one for one in sessions if scoped_worlds.is_visible(merged(one), scope)]
            with ScopedStore(base / str(number), dice) as visible:
                visible.write(own)
                for _ in range(_REQUESTS_PER_SCOPE):
                    tally[_check(everything, visible, _request(dice), scope)] += 1
    shutil.rmtree(base)


def _check(
    everything: ScopedStore, visible: ScopedStore, request: QueryTrafficRequest, scope: DataScope
) -> str:
    """Compares what three callers get, and returns the outcome."""
    outcome, data = everything.outcome("QueryTraffic", request, scope)
    assert visible.outcome("QueryTraffic", request, scope) == (outcome, data), f"{scope}: {request}"
    if _tells_hidden(request, scope):
        assert outcome == "ACCESS_DENIED", f"{scope}: {request}"
    if outcome != "OK":
        return outcome
    other, other_data = visible.outcome("QueryTraffic", request, DataScope())
    answer, expected = map(QueryTrafficResponse.FromString, (data, other_data))
    _drop_notices(answer)
    assert (other, answer) == ("OK", expected), f"{scope}: {request}"
    return "figures" if answer.groups and any(answer.totals[0].integers) else "nothing counted"


def _tells_hidden(request: QueryTrafficRequest, scope: DataScope) -> bool:
    asked = {figures.name_of(spec) for spec in request.metrics}
    hidden = set(scope.hidden_metrics)
    return bool(
        (Metric.ASR in hidden and asked & _TELL_ANSWERS)
        or ({Metric.ASR, Metric.ACD} & hidden and asked & _TELL_DURATIONS)
        or (Metric.PRICE in hidden and asked & _TELL_PRICES)
    )


def _drop_notices(answer: Message) -> None:
    kept = [one for one in answer.notices if one.code != reports_pb2.NOTICE_CODE_METRICS_HIDDEN]  # type: ignore[attr-defined]
    del answer.notices[:]  # type: ignore[attr-defined]
    answer.notices.extend(kept)  # type: ignore[attr-defined]


def _request(dice: random.Random) -> QueryTrafficRequest:
    names = ["calls", *dice.sample(sorted(figures.METRICS.keys() - {"calls"}), dice.choice((0, 0, 1, 2)))]
    if dice.random() < 0.3:
        names = list(dict.fromkeys([*names, *dice.sample(occupancy.METRICS, dice.choice((1, 2)))]))
    metrics = [_metric(dice, name) for name in names]
    found = QueryTrafficRequest(
        from_time=dice.choice(("2026-03-30", "2026-03-24", "2026-02-01", "2026-03-28T07:30:00")),
        granularity=dice.choice(_GRANULARITIES),
        attempts=dice.choice((traffic_pb2.ATTEMPTS_ALL, traffic_pb2.ATTEMPTS_LAST)),
        metrics=metrics,
    )
    for name in dice.sample(sorted(_DIMENSIONS), dice.choice((0, 1, 1, 2))):
        found.group_by.add(dimension=f"TRAFFIC_DIMENSION_{name}")
    for name in dice.sample(sorted(_DIMENSIONS), dice.choice((0, 0, 1, 2))):
        values = dice.sample(_DIMENSIONS[name], dice.choice((1, 1, 2)))
        listed: dict[str, Any] = {"texts" if isinstance(values[0], str) else "integers": values}
        found.filters.add(
            dimension=f"TRAFFIC_DIMENSION_{name}",
            negate=dice.random() < 0.3,
            absent=dice.random() < 0.2,
            **listed,
        )
    if found.group_by and dice.random() < 0.4:
        found.top.CopyFrom(traffic_pb2.TopSpec(limit=dice.choice((1, 2)), other=dice.random() < 0.5))
    if dice.random() < 0.2:
        found.compare = dice.choice(traffic_pb2.Comparison.values()[1:5])  # type: ignore[assignment]
    if dice.random() < 0.2:
        found.open_hours.CopyFrom(
            traffic_pb2.OpenHours(from_time="20:00", to_time="08:30", weekdays=[1, 5, 6, 7])
        )
    return found


def _metric(dice: random.Random, name: str) -> Any:
    occupies = dice.choice(("UNSPECIFIED", "TALK", "SEIZED")) if name in occupancy.METRICS else "UNSPECIFIED"
    return {
        "metric": f"TRAFFIC_METRIC_{name.upper()}",
        "occupancy": f"OCCUPANCY_{occupies}",
        **_PARAMETERS.get(name, {}),
    }
