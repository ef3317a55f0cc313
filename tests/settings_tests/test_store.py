"""The place of the store: a directory or a cluster, by its name and by its older one."""

from pathlib import Path

import pytest
from pegcount.settings import SettingsError, Sources, load

from settings_tests.sources import written

URL = "clickhouse://reader@192.0.2.1:8123,192.0.2.2:8123/calls"


def store(file: Path | None = None, variables: dict[str, str] | None = None, **options: str) -> object:
    return load(Sources(file, variables or {}, options)).values["store"]


def refusals(file: Path | None = None, variables: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(Sources(file, variables))
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("key", ["store", "data"])
def test_a_path_of_a_file_begins_at_its_directory_and_a_url_does_not(tmp_path: Path, key: str) -> None:
    assert store(written(tmp_path, f'{key} = "calls"')) == str(tmp_path / "calls")
    assert store(written(tmp_path, f'{key} = "{URL}"')) == URL


def test_the_older_name_gives_the_store_in_each_source(tmp_path: Path) -> None:
    file = written(tmp_path, 'data = "/of/file"')
    assert store(file) == "/of/file"
    assert store(file, {"PEGCOUNT_DATA": "of_variable"}) == "of_variable"
    assert store(file, {"PEGCOUNT_DATA": "of_variable"}, store="of_flag") == "of_flag"


def test_one_source_must_not_name_two_stores(tmp_path: Path) -> None:
    file = written(tmp_path, 'data = "one"\nstore = "other"')
    text = "are two names of one setting: give the second one only"
    assert refusals(file) == [f"{file}:1: data and store {text}"]
    both = {"PEGCOUNT_DATA": "one", "PEGCOUNT_STORE": "other"}
    assert refusals(None, both) == [f"PEGCOUNT_DATA: PEGCOUNT_DATA and PEGCOUNT_STORE {text}"]
    assert store(None, {"PEGCOUNT_DATA": "one", "PEGCOUNT_STORE": "one"}) == "one"


def test_what_only_a_directory_has_is_refused_beside_a_url(tmp_path: Path) -> None:
    file = written(tmp_path, f'store = "{URL}"\ncreate = true\naccept_loss_of = ["catalog.db"]')
    assert refusals(file) == [
        f"{file}:2: create is for a data directory, and store is a URL: make the tables of a cluster by"
        " `pegcount clickhouse init`",
        f"{file}:3: accept_loss_of is for a data directory, and store is a URL: leave it out",
    ]


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    assert refusals(written(tmp_path, 'store = ""'))[0].endswith("allowed: a path, or a URL")
