"""What an import says about legs that are not calls."""

from pathlib import Path

from cli_tests.test_command_line import import_into

CALL = (
    '"Ann","+12025550101","442079460001","default","2026-03-28 09:00:00","2026-03-28 09:00:05",'
    '"2026-03-28 09:02:05","125","120","NORMAL_CLEARING","a1","b2","1001","PCMA","PCMA"\n'
)
LEG = CALL.replace('"a1","b2"', '"b2",""')
LOST = CALL.replace('"a1","b2"', '"b1",""').replace("NORMAL_CLEARING", "LOSE_RACE")
AGENT = '{"core-uuid":"c","variables":{"uuid":"g1","cc_side":"agent"}}'
B_LEG = '{"core-uuid":"c","variables":{"uuid":"b1","originating_leg_uuid":"a1"}}'


def test_the_summary_counts_legs_by_why_they_are_none(tmp_path: Path) -> None:
    file = tmp_path / "Master.csv"
    file.write_text(CALL + LOST + LEG)
    done = import_into(tmp_path / "data", "freeswitch-csv", file)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        f"{file}: 3 rows, 1 accepted, 0 replaced, 0 identical, 0 outranked, 0 rejected, 2 skipped",
        "skipped, as they are not calls of their own; b-legs: 1, legs that rang until another one answered"
        " (LOSE_RACE): 1",
    ]
    assert "these legs" not in done.stdout


def test_legs_without_a_call_are_named(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text(AGENT + B_LEG)
    second.write_text(B_LEG)
    done = import_into(tmp_path / "data", "freeswitch-json", first, second)
    assert done.returncode == 0
    assert done.stdout.splitlines()[2:4] == [
        "skipped, as they are not calls of their own; b-legs: 2, legs from a queue to its agents"
        " (cc_side=agent): 1",
        "these legs are all there is, and no call was counted: import the a-legs, which the switch has logged"
        " elsewhere or not at all",
    ]
