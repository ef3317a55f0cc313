"""`pegcount delete`, run in processes of its own."""

from pathlib import Path

import pytest

from cli_tests.test_command_line import SAMPLES, import_into, pegcount, serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    assert import_into(tmp_path / "data", "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0
    return tmp_path / "data"


def printed(*arguments: str | Path) -> str:
    result = pegcount("delete", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def refused(*arguments: str | Path) -> str:
    result = pegcount("delete", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    return result.stderr


def test_records_of_a_directory_are_deleted_and_stay_so(data: Path, tmp_path: Path) -> None:
    assert printed("--data", data, "--all", "--dry-run") == "65 records would be deleted\n"
    outcome = printed("--data", data, "--from", "2000-01-01", "--source", "pbx-1")
    assert outcome.endswith(
        "; rule 1 rejects what it covers, new calls too, until `pegcount delete --lift 1`\n"
    )
    assert printed("--data", data, "--id", "never seen") == (
        "nothing matched; none deleted; rule 2 rejects what it covers, new calls too, until"
        " `pegcount delete --lift 2`\n"
    )
    assert printed("--data", data, "--id", "never seen", "--once") == "nothing matched; none deleted\n"
    listed = printed("--data", data, "--list").splitlines()
    assert listed[0].startswith("rule 1: source 'pbx-1', from 2000-01-01T00:00:00Z; made ")
    assert listed[1].startswith("rule 2: 1 session ids; made ")
    assert printed("--data", data, "--lift", "2") == (
        "rule 2 is lifted; write the records that it rejected again\n"
    )
    ids = tmp_path / "ids"
    ids.write_text("one\n\ntwo\n", encoding="utf-8")
    assert "none deleted; rule 3" in printed("--data", data, "--ids-file", ids, "--id", "three")
    assert "rule 3: 3 session ids" in printed("--data", data, "--list")


def test_deleted_records_come_back_by_no_import_until_the_rule_is_lifted(data: Path, tmp_path: Path) -> None:
    assert printed("--data", data, "--all").startswith("65 records deleted; rule 1 ")
    again = import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv")
    assert again.returncode == 1
    reason = "rule 1 of a deletion covers the record"
    assert reason in (tmp_path / "pegcount.rejects.csv").read_text(encoding="utf-8")
    summary, why = again.stderr.splitlines()
    assert summary == "rejected rows: 65 of 65, in pegcount.rejects.csv"
    assert why.startswith(f"  65 rows: {reason}; ")
    assert why.endswith("pegcount.csv line 2")
    printed("--data", data, "--lift", "1")
    assert import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0


def test_a_server_deletes_and_tells_its_rules(data: Path) -> None:
    with serving(data) as (address, _):
        assert printed("--server", address, "--list") == "no rule rejects records\n"
        assert printed("--server", address, "--all").startswith("65 records deleted; rule 1 ")
        assert "deletion: rule 1: all records; made " in pegcount("info", "--server", address).stdout
        assert "NOT_FOUND: no deletion has the number 7" in refused("--server", address, "--lift", "7")


def test_options_that_delete_nothing_or_too_much_are_refused(data: Path, tmp_path: Path) -> None:
    assert refused("--data", data) == (
        "pegcount: say which records: --source, --from, --to, --id, --ids-file, or --all\n"
    )
    assert "give one of --store DIR|URL and --server" in refused("--data", data, "--server", "x:1", "--all")
    assert "--lift and --list delete nothing" in refused("--data", data, "--lift", "1", "--all")
    assert "no deletion has the number 9" in refused("--data", data, "--lift", "9")
    empty = tmp_path / "ids"
    empty.write_text("\n", encoding="utf-8")
    assert "has no session id" in refused("--data", data, "--ids-file", empty)
    empty.write_bytes(b"\xff\n")
    assert "is not UTF-8" in refused("--data", data, "--ids-file", empty)
    assert "--ids-file: " in refused("--data", data, "--ids-file", tmp_path / "none")
    assert "does not exist" in refused("--data", tmp_path / "nowhere", "--all")
