"""Variables that no setting reads: those that seem to be meant for one are named."""

import pytest
import typer
from pegcount.cli import app
from pegcount.cli.entry import options, variable_of
from pegcount.settings import SETTINGS, unknown_variables

from settings_tests.sources import loaded


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PEGCOUNT_LISTN", "PEGCOUNT_LISTEN"),
        ("PEGCOUNT_LOGLEVEL", "PEGCOUNT_LOG_LEVEL"),
        ("PEGCOUNT_METRIC_LISTEN", "PEGCOUNT_METRICS_LISTEN"),
        # Keys of the file in place of options, and fields without their table.
        ("PEGCOUNT_TLS_CERTIFICATE", "PEGCOUNT_TLS_CERT"),
        ("PEGCOUNT_LOG_CALLS", "PEGCOUNT_NO_CALL_LOG"),
        ("PEGCOUNT_QUERY_SECONDS_MAX", "PEGCOUNT_CONFIG_QUERY_SECONDS_MAX"),
    ],
)
def test_a_variable_near_that_of_a_setting_is_named_and_stops_nothing(variable: str, meant: str) -> None:
    text = f'{variable}: has no effect, as no setting has this variable; did you mean "{meant}"?'
    assert [str(each) for each in loaded(None, {variable: "1"}).warnings()] == [text]


def test_variables_of_settings_and_of_others_are_not_named() -> None:
    of_settings = {setting.variable for setting in SETTINGS.values()}
    of_commands = {variable_of(option) for option in options(typer.main.get_command(app))}
    assert "PEGCOUNT_API_KEY" in of_commands
    of_tests = {"PEGCOUNT_SEED", "PEGCOUNT_SOAK_SECONDS", "PEGCOUNT_DRAWN_SEED", "PEGCOUNT_FUZZ_TARGET"}
    of_platforms = {"PEGCOUNT_PORT", "PEGCOUNT_SERVICE_HOST", "PEGCOUNT_PORT_50051_TCP_ADDR"}
    others = {"PEGCOUNT_CONFIG", "PEGCOUNT_ACTIVE_TTL", "LISTEN", "pegcount_listen"}
    names = of_settings | of_commands | of_tests | of_platforms | others
    assert [str(each) for each in unknown_variables(dict.fromkeys(names, "1"))] == []
    assert list(unknown_variables({"PEGCOUNT_LISTN": ""})) == []
