"""Values that options cannot have, and options beside each other."""

import pytest

from cli_tests.report_tests.conftest import KeptRequests
from cli_tests.report_tests.running import run

USAGE = ("usage", "--from", "2026-03-28", "--to", "2026-03-31")
QUALITY = ("quality", "--from", "2026-03-28")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*USAGE, "--granularity", "DAYS"), "'DAYS' is not one of MINUTE, FIVE_MINUTES"),
        ((*USAGE, "--granularity", "DAYS"), 'did you mean "DAY"?'),
        ((*USAGE, "--kind", "CALLS"), "--kind: 'CALLS' is not one of CALL, ASR, TTS; did you mean \"CALL\"?"),
        ((*USAGE, "--absent", "app"), "--absent: 'app' is not one of app_id, comp_id, tenant_id"),
        ((*USAGE, "--time-zone", "Europe/Kiew"), 'did you mean "Europe/Kyiv"?'),
        ((*USAGE, "--app-id", str(2**63)), "an option has a value that no request can hold"),
        (("usage",), "a report needs --from, such as --from yesterday, or --last, such as --last 7d"),
        ((*USAGE, "--last", "7d"), "--last excludes --from and --to"),
        (
            ("usage", "--last", "7"),
            "'7' is no length; it can be such as 90m, 24h, 7d, 4w; did you mean \"7d\"?",
        ),
        (("usage", "--last", "Today"), '; did you mean "--from today"?'),
        (("usage", "--from", "05/10/2026"), 'did you mean "2026-10-05" or "2026-05-10"?'),
        ((*USAGE, "--json", "--csv"), "--json and --csv exclude each other"),
        ((*USAGE, "--plot", "--parquet", "x"), "--parquet and --plot exclude each other"),
        ((*USAGE, "--watch", "0.5s"), "--watch: '0.5s' is less than 1 s"),
        ((*USAGE, "--watch", "5"), "--watch: '5' is no interval, such as 5s or 1m; did you mean \"5s\"?"),
        ((*USAGE, "--watch", "5s", "--arrow", "x"), "--watch cannot rewrite x"),
        (QUALITY, "needs --account ACCOUNT (repeatable), --all-accounts or --absent account_id"),
        ((*QUALITY, "--account", "1", "--all-accounts"), "--account and --all-accounts exclude each other"),
        ((*QUALITY, "--account", "1", "--sampling", "EON"), "--sampling: 'EON' is not one of MINUTE"),
        (("active", "orig_client_name"), 'did you mean "orig_clients_name"?'),
        (("active", "--limit", "0"), "INVALID_ARGUMENT: limit"),
        (
            ("folders", "acme", "support", "--from", "2026-13-01"),
            "--from: '2026-13-01' is not a date: months",
        ),
        (("folders", "acme", "nowhere"), "NOT_FOUND"),
        ((*USAGE, "--parquet", "no/such/folder/x"), "No such file or directory"),
    ],
)
def test_a_wrong_option_is_told_in_one_sentence(
    arguments: tuple[str, ...],
    sentence: str,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "report", *arguments, "--server", address) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("pegcount: ")
    assert sentence in printed.err
    assert len(printed.err.splitlines()) == 1


def test_an_option_of_the_command_line_beats_one_of_the_environment(
    kept: KeptRequests, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEGCOUNT_SERVER", kept.address)
    monkeypatch.setenv("PEGCOUNT_TIME_ZONE", "Europe/Berlin")
    monkeypatch.setenv("PEGCOUNT_APP_ID", "5 6")
    monkeypatch.setenv("PEGCOUNT_CSV", "1")
    monkeypatch.setenv("PEGCOUNT_LAST", "7d")
    assert run(monkeypatch, "report", "usage", "--from", "2026-03-28", "--json") == 0
    (request,) = kept.requests
    assert (request.time_zone, list(request.app_ids)) == ("Europe/Berlin", [5, 6])
    assert (request.from_time, request.HasField("to_time")) == ("2026-03-28", False)
    assert capsys.readouterr().out.startswith("{")


def test_options_of_the_environment_exclude_each_other_too(
    kept: KeptRequests, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEGCOUNT_CSV", "1")
    monkeypatch.setenv("PEGCOUNT_JSON", "1")
    assert run(monkeypatch, "report", *USAGE, "--server", kept.address) == 2
    assert "--json and --csv exclude each other" in capsys.readouterr().err
