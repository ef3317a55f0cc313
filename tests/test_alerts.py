"""Each alert has a section of the runbook, and each section its alert; the dashboard is complete."""

import json
import re
from typing import Any

from test_pages import anchor
from test_tidy import ROOT

_OPS = ROOT / "ops"
_PAGE = "docs/operations.md"
_RULE = re.compile(r"^ +- alert: (\w+)$(.*?)(?=^ +- (?:alert|name): |\Z)", re.MULTILINE | re.DOTALL)
_SEVERITY = re.compile(r"^ +severity: (\w+)$", re.MULTILINE)
_METRIC = re.compile(r"\b(?:pegcount|grpc_server|process)_[a-z_]+\b")


def rules() -> dict[str, str]:
    """Returns the text of each rule by the name of its alert."""
    return dict(_RULE.findall((_OPS / "alerts.yml").read_text(encoding="utf-8")))


def sections() -> dict[str, str]:
    """Returns the sections of the runbook by their heading."""
    page = (ROOT / _PAGE).read_text(encoding="utf-8")
    runbook = page.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    parts = re.split(r"^### (.+)$", runbook, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def panels() -> list[dict[str, Any]]:
    """Returns the panels of the dashboard, rows left out."""
    dashboard = json.loads((_OPS / "dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    assert len(rules()) > 20
    assert list(sections()) == list(rules())


def test_each_alert_leads_to_its_section() -> None:
    wrong = [
        name for name, text in rules().items() if f"runbook_url: {_PAGE}#{anchor(name)}\n" not in text + "\n"
    ]
    assert wrong == []


def test_each_section_says_how_severe_the_alert_is() -> None:
    severities = {name: _SEVERITY.findall(text) for name, text in rules().items()}
    assert {severity for found in severities.values() for severity in found} == {"critical", "warning"}
    described = {name: re.findall(r"\*(critical|warning)\*", text) for name, text in sections().items()}
    assert described == severities


def test_each_section_says_what_to_look_at() -> None:
    assert [name for name, text in sections().items() if "\n- " not in text] == []


def test_each_alert_has_a_test_of_its_rule() -> None:
    texts = [(_OPS / name).read_text(encoding="utf-8") for name in ("rules_test.yml", "habits_test.yml")]
    tested = re.findall(r"^  - name: (\w+)$", "".join(texts), re.MULTILINE)
    assert set(tested) == set(rules())


def test_each_alert_says_what_it_found() -> None:
    required = ("summary:", "description:", "severity:", "expr:")
    assert [name for name, text in rules().items() if any(word not in text for word in required)] == []


def test_each_panel_says_what_it_shows() -> None:
    assert len(panels()) > 30
    assert [panel["title"] for panel in panels() if len(panel.get("description", "")) < 20] == []
    assert [panel["title"] for panel in panels() if not panel["targets"]] == []


def test_each_panel_names_its_metrics() -> None:
    """For those who have Prometheus at hand, and no dashboard."""
    for panel in panels():
        read = {name for target in panel["targets"] for name in _metrics(target["expr"])}
        assert read
        assert read == set(_metrics(panel["description"])), panel["title"]


def _metrics(text: str) -> list[str]:
    return [re.sub(r"_(?:bucket|sum|count)$", "", name) for name in _METRIC.findall(text)]


def test_the_runbook_names_panels_that_exist() -> None:
    titles = {panel["title"] for panel in panels()}
    runbook = " ".join("".join(sections().values()).split())
    named = {
        title
        for listed in re.findall(r'\bpanels? ("[^"]+"(?:(?:,| and) "[^"]+")*)', runbook)
        for title in re.findall(r'"([^"]+)"', listed)
    }
    assert len(named) > 10
    assert named - titles == set()


def test_panels_have_places_of_their_own() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells, panel["title"]
        cells |= own
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_alerts_and_panels_name_metrics_of_the_server() -> None:
    texts = [*rules().values(), *(target["expr"] for panel in panels() for target in panel["targets"])]
    named = {name for text in texts for name in _metrics(text)}
    assert len(named) > 50
    documented = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert (
        sorted(name for name in named if f"`{name}`" not in documented and not name.startswith("process_"))
        == []
    )
