"""The page of all settings, and the example of a file."""

from pathlib import Path

import pytest
from pegcount.settings import SETTINGS, Setting, load
from pegcount.settings.loading import Sources
from pegcount.settings.page import meaning_of, page
from pegcount.settings.ranges import unit_of

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """`make config-page` writes it."""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_each_setting_has_a_meaning(setting: Setting) -> None:
    assert meaning_of(setting).endswith(".")


def test_units_come_from_names() -> None:
    assert unit_of("query_seconds_max") == "s"
    assert unit_of("unread_answer_bytes_per_connection_max") == "bytes"
    assert unit_of("credential_calls_per_second") == "calls per second"
    assert unit_of("credential_work_ms_per_second") == "ms per second"
    assert unit_of("control_bytes_per_second_max") == "bytes per second"
    assert unit_of("audit_denied_calls_per_minute_max") == "calls per minute"
    assert unit_of("row_cost_ns") == "ns"
    assert unit_of("worker_count") == "count"


def test_the_example_can_be_used_and_says_what_is_so() -> None:
    file = ROOT / "ops" / "pegcount.toml"
    found = load(Sources(file))
    assert found.warnings() == ()
    assert str(found.values["store"]).startswith("/")


def test_what_the_example_has_as_a_comment_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "ops" / "pegcount.toml").read_text(encoding="utf-8")
    lines = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]
    file = tmp_path / "pegcount.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    found = load(Sources(file))
    assert found.warnings() == ()
    of_config = {key: value for key, value in found.values.items() if key.startswith("config.")}
    assert of_config == {key: SETTINGS[key].default for key in of_config}
    assert found.values["tls.key"] == "/etc/pegcount/tls.key"
