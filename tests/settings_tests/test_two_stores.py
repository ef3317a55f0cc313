"""A data directory and the cluster that follows it, from each source."""

from pathlib import Path
from typing import Any

import pytest
from pegcount.settings import SettingsError, Sources, load

URL = "clickhouse://h1,h2/calls"


def stores(sources: Sources) -> tuple[str, str | None]:
    settings = load(sources).settings()
    return str(settings.store), settings.follower


def test_each_source_names_both(tmp_path: Path) -> None:
    assert stores(Sources(options={"store": ["/my data", URL]})) == ("/my data", URL)
    assert stores(Sources(environment={"PEGCOUNT_STORE": f"/my data {URL}"})) == ("/my data", URL)
    file = tmp_path / "pegcount.toml"
    file.write_text(f'store = ["data", "{URL}"]\n')
    assert stores(Sources(file=file)) == (str(tmp_path / "data"), URL)


def test_one_store_has_no_follower() -> None:
    assert stores(Sources(options={"store": ["/my data"]})) == ("/my data", None)
    assert stores(Sources(environment={"PEGCOUNT_STORE": URL})) == (URL, None)


@pytest.mark.parametrize(
    "value",
    [["/a", "/b"], [URL, "/a"], [URL, URL], ["/a", URL, URL]],
    ids=["two directories", "the cluster first", "two clusters", "three"],
)
def test_other_stores_are_refused_together(value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        load(Sources(options={"store": value}))
    (problem,) = caught.value.problems
    assert f"these {len(value)} stores cannot be used; allowed: one, or a data directory and then" in str(
        problem
    )
