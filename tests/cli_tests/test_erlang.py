"""`pegcount erlang`: lines, traffic or lost calls, each from the other two."""

import json

import pytest

from cli_tests.report_tests.running import run


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (
            ("--traffic", "33.3333", "--blocking", "0.01"),
            "45 lines, 33.333 E, 0.9654% of the calls find no line",
        ),
        (("--traffic", "33.3333", "--lines", "44"), "44 lines, 33.333 E, 1.3160% of the calls find no line"),
        (("--lines", "15", "--blocking", "1%"), "15 lines, 8.108 E, 1.0000% of the calls find no line"),
        (("--traffic", "1", "--lines", "1"), "1 line, 1.000 E, 50.0000% of the calls find no line"),
        (("--traffic", "2", "--lines", "5"), "5 lines, 2.000 E, 3.6697% of the calls find no line"),
    ],
)
def test_the_third_of_three(
    options: tuple[str, ...],
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "erlang", *options) == 0
    assert capsys.readouterr().out.strip() == printed


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "erlang", "--traffic", "1", "--lines", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"traffic": 1.0, "lines": 2, "blocking": 0.2}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "takes two of --traffic, --lines and --blocking, not 0"),
        (("--lines", "2"), "takes two of --traffic, --lines and --blocking, not 1"),
        (("--lines", "2", "--traffic", "1", "--blocking", "0.1"), "not 3"),
        (("--lines", "2", "--blocking", "1"), "more than 0 and less than 1, such as 0.01"),
        (("--lines", "2", "--blocking", "low"), "--blocking: 'low' is not a share, such as 0.01 or 1%"),
        (("--lines", "0", "--blocking", "1%"), "lines are a whole number within 1 to 100,000"),
        (("--lines", "2", "--traffic", "-1"), "traffic is a number of erlangs, 0 or more"),
        (("--lines", "2", "--traffic", "nan"), "traffic is a number of erlangs, 0 or more"),
    ],
)
def test_wrong_options_are_refused(
    options: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "erlang", *options) == 2
    assert told in capsys.readouterr().err
