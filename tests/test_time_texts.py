"""Which texts of times each caller accepts, what they mean in Berlin, and how each refuses the others.

time_texts.txt has a line for each text, and a column for each caller: the time in UTC, `-` if the text is not
of the form that the caller reads, or what else is wrong with it; then `? TEXT` if the error suggests a text.
"""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pegcount import calendar, core
from pegcount.config import Config
from pegcount.errors import InvalidRequestError
from pegcount.importers import FORMATS, ImportOptions
from pegcount.importers.parsed_line import ParsedRecord, UnreadableLine
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_SECOND, Zone
from store_reports import StoreReports

ZONE = "Europe/Berlin"
END_US = 7_258_291_200 * US_PER_SECOND
"""2200-01-03, after every time that a request may ask for."""
ROWS = {
    "pegcount-csv": ("session_id,setup_time", "s1,{}"),
    "yeti-csv": ("id,time_start,time_connect,time_end,is_last_cdr", "s1,{},,2026-01-01 00:00:00,t"),
    "freeswitch-csv": ("", 'x,100,200,default,{},,{},0,0,NORMAL_CLEARING,s1,"",acc'),
}
_RANGE = "{field}: {text} is not within 1969-12-31T00:00:00Z to 2200-01-02T00:00:00Z"
_YEARS = "{field}: {text!r} is not within the years {years}"
_OFFSET = "{field}: {text!r} has a UTC offset beyond 23:59, or of more than 59 minutes"
_NO_TIME = "{field}: {text!r} is not a date and time"
_TIME_FORM = "YYYY-MM-DDTHH:mm:ss[.fraction][Z|+HH:MM|-HH:MM] or YYYY-MM-DD"
Caller = Callable[[str], str]
"""Returns the time that a text means, or the error."""
FIELDS = {
    "time": "from_time",
    "date": "from_date",
    "pegcount-csv": "setup_time",
    "yeti-csv": "time_start",
    "freeswitch-csv": "start_stamp",
}
NOT_OF_THE_FORM = {
    "time": f"{{field}}: {{text!r}} is not of the form {_TIME_FORM}",
    "date": "{field}: {text!r} is not of the form YYYYMMDD or YYYY-MM-DD",
}
NOT_A_TIME = {"date": "{field}: {text!r} is not a date"}
"""The beginning of the error of a time that does not exist; other callers have `_NO_TIME`."""
"""The error of a text of another form, by caller; importers have `_NO_TIME`."""


def lines() -> dict[str, list[str]]:
    """Returns the columns of time_texts.txt by text."""
    text = Path(__file__).with_name("time_texts.txt").read_text(encoding="utf-8")
    header, *rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines()]
    assert header[1:] == list(FIELDS)
    return {text.strip('"'): found for text, *found in rows}


def answer(caller: str, text: str, cell: str) -> str:
    """Returns what a column stands for: a time, or the whole error."""
    problem, asks, suggested = cell.partition("? ")
    hint = f'; did you mean "{suggested}"?' if asks else ""
    problem = problem.strip()
    years = "1 to 9999" if caller == "time" else "1969 to 2200"
    errors = {"-": NOT_OF_THE_FORM.get(caller, _NO_TIME), "range": _RANGE, "years": _YEARS, "offset": _OFFSET}
    if " are " in problem or "there is no" in problem:
        errors[problem] = f"{NOT_A_TIME.get(caller, _NO_TIME)}: {problem}"
    if problem == "unix":
        errors[problem] = errors["-"].replace("is not", "is a Unix time, not")
    return errors.get(problem, problem).format(field=FIELDS[caller], text=text, years=years) + hint


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Caller]]:
    store = EmbeddedStore(tmp_path_factory.mktemp("empty"), Config(), create=True)
    service = StoreReports(Config(), store, lambda: END_US)
    imported = {name: _importer(name) for name in ROWS}
    of_reports = {
        "time": _caller(service, "QueryOriginationQuality", _quality),
        "date": _caller(service, "QueryFolderStats", _folder),
    }
    yield {**of_reports, **imported}
    store.close()


@pytest.mark.parametrize("text", lines())
def test_each_caller_reads_its_texts(text: str, callers: dict[str, Caller]) -> None:
    expected = {name: answer(name, text, cell) for name, cell in zip(FIELDS, lines()[text], strict=True)}
    assert {name: call(text) for name, call in callers.items()} == expected


def _caller(service: StoreReports, method: str, request_of: Callable[[str], Any]) -> Caller:
    def call(text: str) -> str:
        data = request_of(text).SerializeToString()
        try:
            edge_us = service.prepare(method, data, core.CancelToken(None)).scan.edge_us
        except InvalidRequestError as error:
            return str(error)
        assert edge_us is not None
        return _printed(int(edge_us[0]))

    return call


def _quality(text: str) -> reports_pb2.QueryOriginationQualityRequest:
    return reports_pb2.QueryOriginationQualityRequest(
        account_id="a", from_time=text, sampling=reports_pb2.GRANULARITY_MONTH, time_zone=ZONE
    )


def _folder(text: str) -> reports_pb2.QueryFolderStatsRequest:
    return reports_pb2.QueryFolderStatsRequest(company="c", organization="o", from_date=text, time_zone=ZONE)


def _importer(name: str) -> Caller:
    header, row = ROWS[name]
    options = ImportOptions("switch", _zone(ZONE))

    def call(text: str) -> str:
        cell = io.StringIO()
        csv.writer(cell, lineterminator="", quoting=csv.QUOTE_ALL).writerow([text])
        lines = [header, row.replace("{}", cell.getvalue())]
        (parsed,) = FORMATS[name].parse(io.BytesIO("\n".join(filter(None, lines)).encode()), options)
        if isinstance(parsed, UnreadableLine):
            return parsed.reason
        assert isinstance(parsed, ParsedRecord)
        time = parsed.record.setup_time
        return _printed(time.seconds * US_PER_SECOND + time.nanos // 1_000)

    return call


def _printed(us: int) -> str:
    return core.format_time(us, _zone("UTC"))


def _zone(name: str) -> Zone:
    zone = calendar.zone(name)
    assert zone is not None
    return zone
