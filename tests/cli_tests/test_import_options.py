"""Every option of `pegcount import` changes something in every format, or is refused."""

import csv
import io
from pathlib import Path

import pytest
from pegcount.cli import app
from pegcount.importers import FORMAT_OPTIONS, FORMATS
from typer.testing import CliRunner, Result

ASTERISK = (
    "x,100,200,c,PJSIP/a-1,,Dial,x,2026-03-10 09:00:00,2026-03-10 09:00:05,2026-03-10 09:01:05,65,60,"
    "ANSWERED,D,Müller,id{0},,{0}\n"
)
FREESWITCH = "x,100,200,c,2026-03-10 09:00:00,,2026-03-10 09:00:05,5,0,USER_BUSY,id{0},,Müller\n"
JSON = (
    '{{"variables":{{"uuid":"id{0}","start_epoch":"177313320{0}","end_epoch":"177313326{0}",'
    '"accountcode":"Müller"}}}}\n'
)
XML = (
    "<cdr><variables><uuid>id{0}</uuid><start_epoch>177313320{0}</start_epoch>"
    "<end_epoch>177313326{0}</end_epoch><accountcode>Müller</accountcode></variables></cdr>\n"
)
PEGCOUNT = (
    "session_id,setup_time,end_time,folder\n",
    # The first call lasts longer than seven days.
    "id{0},2026-03-0{0}T09:00:00,2026-03-09T09:00:00,Müller\n",
)
YETI = (
    "id,time_start,time_connect,time_end,is_last_cdr,src_prefix_in\n",
    "id{0},2026-03-10 09:00:00,,2026-03-10 09:00:05,t,Müller\n",
)
MAPPED = ("id,start,talk,name\n", "id{0},2026-03-10 09:00:0{0},60,Müller\n")
MAPPINGS = Path(__file__).parent / "mappings"
HEADER_AND_ROW = {
    "asterisk-csv": ("", ASTERISK),
    "freeswitch-csv": ("", FREESWITCH),
    "freeswitch-json": ("", JSON),
    "freeswitch-xml": ("", XML),
    "mapped": MAPPED,
    "pegcount-csv": PEGCOUNT,
    "yeti-csv": YETI,
}
UNUSUAL = {
    "--time-zone": ["Asia/Tokyo"],
    "--encoding": ["cp1252"],
    "--final-line": [],
    "--columns": ["cdr_csv"],
    "--calls": ["rows"],
    "--answered": ["switch"],
    "--report-calls": ["1"],
    "--set": ["company=acme"],
    "--accept-stored": [],
    "--mapping": [str(MAPPINGS / "unusual.toml")],
}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def outcome(directory: Path, format_name: str, *options: str) -> tuple[list[str], list[list[str]]]:
    """What an import prints, without its speed, and the records that it leaves."""
    directory.mkdir()
    header, row = HEADER_AND_ROW[format_name]
    log, data, out = directory / "log", directory / "data", directory / "out.csv"
    # In Latin-1, and without a line end after the last of three rows.
    text = header + "".join(row.format(number) for number in range(1, 4))
    log.write_bytes(text.removesuffix("\n").encode("latin-1"))
    rejects = directory / "rejects.csv"
    if format_name == "mapped" and "--mapping" not in options:
        options = (*options, "--mapping", str(MAPPINGS / "usual.toml"))
    done = run(
        "import",
        "--data",
        data,
        "--format",
        format_name,
        "--source",
        "s",
        "--rejects",
        rejects,
        *options,
        log,
    )
    assert done.exit_code in (0, 1), done.output
    assert run("export", "--data", data, "--format", "csv", out).exit_code == 0
    printed = done.output.replace(str(directory), "").splitlines()
    return [line for line in printed if "rows/s" not in line], [*csv.reader(io.StringIO(out.read_text()))]


def test_every_option_has_an_unusual_value() -> None:
    assert set(UNUSUAL) == set(FORMAT_OPTIONS)
    assert set(HEADER_AND_ROW) == set(FORMATS)


@pytest.mark.parametrize("format_name", FORMATS)
def test_each_option_changes_something_or_is_refused(format_name: str, tmp_path: Path) -> None:
    usual = outcome(tmp_path / "usual", format_name)
    for option, value in UNUSUAL.items():
        given = [option, *value]
        if option in FORMATS[format_name].options:
            assert outcome(tmp_path / option.strip("-"), format_name, *given) != usual, option
            continue
        refused = run(
            "import", "--data", tmp_path / "d", "--format", format_name, "--source", "s", *given, "log"
        )
        users = [name for name, found in FORMATS.items() if option in found.options]
        assert refused.exit_code == 2
        assert (
            f"{format_name} does not use {option}; the formats that do: {', '.join(users)}\n"
            in refused.output
        )
        assert not (tmp_path / "d").exists()


def test_options_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "start,src,dst,channel,dstchannel,lastapp,duration,billsec,disposition\n"
        "2026-03-10 09:00:00,1,2,SIP/1,SIP/2,Dial,1,0,NO ANSWER\n"
    )
    common = ("import", "--data", tmp_path / "d", "--format", "asterisk-csv", "--source", "s")
    for options, said in (
        (("--calls", "rows", "--answered", "switch"), "with --calls rows, each row is one"),
        (("--columns", "cdr_custom"), "--columns is for files without a header line"),
    ):
        refused = run(*common, *options, log)
        assert (refused.exit_code, said in refused.output) == (2, True)
        assert not (tmp_path / "d").exists()


def test_the_zone_is_named_unless_the_rows_show_it(tmp_path: Path) -> None:
    printed, _ = outcome(tmp_path / "local", "freeswitch-csv")
    assert (
        "local times were read as UTC; if they are local times of another zone, import again with"
        " --time-zone ZONE --correct"
    ) in printed
    printed, _ = outcome(tmp_path / "given", "freeswitch-csv", "--time-zone", "Asia/Tokyo")
    assert not any("local times" in line for line in printed)
    printed, _ = outcome(tmp_path / "unix", "freeswitch-json")
    assert not any("local times" in line for line in printed)
    log = tmp_path / "log.csv"
    log.write_text("session_id,setup_time\na,2026-03-10T09:00:00Z\n")
    common = ("import", "--data", tmp_path / "d", "--format", "pegcount-csv", "--source", "s")
    assert "local times" not in run(*common, log).output
    given = run(*common, "--time-zone", "Asia/Tokyo", log)
    assert "--time-zone Asia/Tokyo changed nothing: every time states its UTC offset" in given.output
