"""What is wrong with settings: everything at once, each with its place."""

from pathlib import Path

import pytest
from pegcount.settings import SETTINGS, Kind, SettingsError, Sources, load
from pegcount.settings.ranges import Range

from settings_tests.sources import loaded, problems, written

WRONG = """\
store = 5
lisen = "127.0.0.1:1"
no_auth = true
token_config = "tokens.toml"
tls_key = "key.pem"

[tls]
certificate = "certificate.pem"

[log]
level = "inof"

[config]
worker_count = 0
query_seconds_max = "10"
row_cost_ns = 5
seal_row_count = 5_000_000
bin_cout_max = 1

[tuning]
helper_niceness = 20
"""


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, WRONG)
    environment = {"PEGCOUNT_CONFIG_WORKER_CONT": "1", "PEGCOUNT_NO_CALL_LOG": "perhaps"}
    found = problems(file, environment, {"slow_call_seconds": "soon"}, ("small_worker_count=1.5", "x"))
    assert found == [
        f"{file}:1: store: 5 cannot be used; allowed: a path, or a URL",
        f"{file}:2: 'lisen': there is no such setting; did you mean \"listen\"?",
        f"{file}:5: 'tls_key': there is no such setting; did you mean \"tls.key\"?",
        f"{file}:11: log.level: 'inof' cannot be used; allowed: debug, info, warning, error;"
        ' did you mean "info"?',
        f"{file}:14: config.worker_count: 0 cannot be used; allowed: an integer from 1 to 256",
        f"{file}:15: config.query_seconds_max: '10' cannot be used; allowed: a number from 0.001 to"
        " 3,153,600,000",
        f"{file}:16: 'config.row_cost_ns': there is no such setting; did you mean \"tuning.row_cost_ns\"?",
        f"{file}:18: 'config.bin_cout_max': there is no such setting; did you mean \"config.bin_count_max\"?",
        f"{file}:21: tuning.helper_niceness: 20 cannot be used; allowed: an integer from 0 to 19",
        "PEGCOUNT_NO_CALL_LOG: 'perhaps' cannot be used; allowed: true or false",
        'PEGCOUNT_CONFIG_WORKER_CONT: there is no such setting; did you mean "PEGCOUNT_CONFIG_WORKER_COUNT"?',
        "--slow-call-seconds: 'soon' cannot be used; allowed: a number from 0 to 86,400",
        "--set small_worker_count: '1.5' cannot be used; allowed: an integer from 1 to 256",
        "--set x: must be NAME=VALUE, such as query_seconds_max=10",
        f"{file}:8: tls.certificate needs tls.key, too",
        f"{file}:3: no_auth lets everybody in, whatever token_config says: leave one out",
        f"{file}:17: config.seal_row_count is 5,000,000, more than config.unsealed_row_count_max with"
        " 4,000,000: lower one or raise the other",
    ]


def test_one_problem_is_one_line_and_several_are_counted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        load(Sources(written(tmp_path, "create = 1\n")))
    assert str(raised.value).count("\n") == 0
    with pytest.raises(SettingsError) as raised:
        load(Sources(written(tmp_path, "create = 1\ntraces = 1\n")))
    assert str(raised.value).startswith("2 problems with the settings:\n  ")


NUMBERS = [key for key, setting in SETTINGS.items() if isinstance(setting.allowed, Range)]


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_beyond_its_range_is_refused(key: str) -> None:
    setting = SETTINGS[key]
    assert isinstance(setting.allowed, Range)
    assert isinstance(setting.default, int | float)
    assert setting.allowed.has(setting.default)
    kind = int if setting.kind is Kind.INTEGER else float
    for value in (setting.allowed.least - 1, setting.allowed.greatest + 1):
        (problem,) = problems(None, {setting.variable: str(kind(value))})
        assert problem.startswith(f"{setting.variable}: ")
        assert f"from {setting.allowed}" in problem


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "true", "'5'", "[5]", "1979-05-27", "{ a = 1 }", "1e400"]
)
@pytest.mark.parametrize("name", ["query_seconds_max", "worker_count"])
def test_what_is_not_a_number_is_refused(name: str, text: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"[config]\n{name} = {text}\n")
    (problem,) = problems(file)
    assert problem.startswith(f"{file}:2: config.{name}: ")


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "0x10", "1,000", "", " ", "٣", "1" * 50, "5 s"])
def test_a_text_that_is_not_a_number_is_refused(text: str) -> None:
    assert len(problems(fields=(f"query_seconds_max={text}",))) == 1
    assert len(problems(fields=(f"worker_count={text}",))) == 1


def test_a_fraction_is_not_a_count(tmp_path: Path) -> None:
    assert len(problems(written(tmp_path, "[config]\nworker_count = 2.0\n"))) == 1
    assert loaded(written(tmp_path, "[config]\nquery_seconds_max = 2\n")).values[
        "config.query_seconds_max"
    ] == pytest.approx(2.0)


def test_bytes_may_have_a_unit_and_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path, '[config]\nquery_memory_bytes_max = "64 MiB"\n')
    assert loaded(file).values["config.query_memory_bytes_max"] == 64 * 2**20
    assert loaded(fields=("waiting_bytes_max=2GiB",)).values["config.waiting_bytes_max"] == 2 * 2**30
    assert len(problems(fields=("worker_count=1 KiB",))) == 1
    assert len(problems(fields=("waiting_bytes_max=0 MiB",))) == 1
    assert len(problems(written(tmp_path, '[config]\nwaiting_bytes_max = "5"\n'))) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls = 5\n", "1: tls: must be a table; write [tls]"),
        ("active_ttl = 5\n", "1: 'active_ttl': there is no such setting; did you mean"),
        ("[config.tuning]\nrow_cost_ns = 5\n", "1: 'config.tuning': is a table of its own; write [tuning]"),
        ("[[log]]\n", "1: log: must be a table; write [log]"),
        ("[log]\nzzz = 1\n", "2: 'log.zzz': there is no such setting; allowed: format, level, file,"),
        ("zzz = 1\n", "1: 'zzz': there is no such setting; allowed: store, create,"),
        (
            "[config]\nzzz = 1\n",
            "2: 'config.zzz': there is no such setting; docs/configuration.md lists them",
        ),
        ("accept_loss_of = [1]\n", "1: accept_loss_of: a list cannot be used; allowed: a list of texts"),
        ('no_auth = "yes"\n', "1: no_auth: 'yes' cannot be used; allowed: true or false"),
        ('store = ""\n', "1: store: '' cannot be used; allowed: a path"),
        (
            f"[config]\nquery_seconds_max = 0x{'F' * 4_000}\n",
            "2: config.query_seconds_max: a number of more than 40 digits cannot be used; allowed: a number",
        ),
        (
            f"[config]\nworker_count = -{'9' * 4_000}\n",
            "2: config.worker_count: a number of more than 40 digits cannot be used; allowed: an integer",
        ),
        (
            f"store = 0x{'F' * 4_000}\n",
            "1: store: a number of more than 40 digits cannot be used; allowed: a path, or a URL",
        ),
    ],
)
def test_what_a_file_may_not_say(text: str, problem: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    (found,) = problems(file)
    assert found.startswith(f"{file}:{problem}")


TEXTS = [key for key, setting in SETTINGS.items() if isinstance(setting.default, str | tuple | None)]


@pytest.mark.parametrize("key", TEXTS)
def test_the_character_nul_is_refused_in_each_text(key: str, tmp_path: Path) -> None:
    for text in ('"unix:a\\u0000b"', '["a", "a\\u0000b"]'):
        (problem,) = problems(written(tmp_path, f"{key} = {text}\n"))
        assert f"{key}: " in problem
        assert problem.endswith(" cannot be used; allowed: a text without the character NUL")


def test_a_file_that_is_not_toml_or_not_there(tmp_path: Path) -> None:
    assert problems(tmp_path / "missing.toml") == [
        f"cannot read {tmp_path / 'missing.toml'}: No such file or directory"
    ]
    (twice,) = problems(written(tmp_path, "create = true\ncreate = true\n"))
    assert "not TOML: Cannot overwrite a value (at line 2" in twice
    file = tmp_path / "latin.toml"
    file.write_bytes(b"# \xe9\n")
    (problem,) = problems(file)
    assert problem.startswith(f"{file}: not TOML: ")
    # Parsed, but too deep to look through.
    file = written(tmp_path, f"{'.'.join(['a'] * 1_200)} = 1\n")
    (problem,) = problems(file)
    assert problem.startswith(f"{file}: not TOML: ")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (("listen=x",), "--set listen: sets fields of Config and Tuning; use --listen"),
        (
            ("row_cost_ns=1",),
            '--set row_cost_ns: there is no such setting; did you mean "tuning.row_cost_ns"?',
        ),
        (("worker_count=1", "worker_count=2"), "--set worker_count: is given twice; it takes one value"),
        (
            ("tuning.rowcost_ns=1",),
            '--set tuning.rowcost_ns: there is no such setting; did you mean "tuning.row_cost_ns"?',
        ),
    ],
)
def test_what_set_may_not_say(fields: tuple[str, ...], problem: str) -> None:
    assert problems(fields=fields) == [problem]


def test_an_unknown_variable_of_a_field_is_a_problem_and_others_are_not() -> None:
    assert problems(None, {"PEGCOUNT_TUNING_ROW_COST": "5"}) == [
        'PEGCOUNT_TUNING_ROW_COST: there is no such setting; did you mean "PEGCOUNT_TUNING_ROW_COST_NS"?'
    ]
    assert len(problems(None, {"PEGCOUNT_CONFIG_ROW_COST_NS": "5"})) == 1
    loaded(None, {"PEGCOUNT_SEED": "5", "PEGCOUNT_TIME_ZONE": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("listen", '"0.0.0.0:5x"', "HOST:PORT or unix:PATH; its port must be a number from 0, which"),
        ("listen", '"127.0.0.1:6.051"', "HOST:PORT or unix:PATH; its port must be a number from 0, which"),
        ("listen", "50051", "HOST:PORT or unix:PATH"),
        ("listen", '""', "HOST:PORT or unix:PATH; its port must be"),
        ("listen", '"unix:"', "HOST:PORT or unix:PATH"),
        ("admin_listen", '"none"', "HOST:PORT or unix:PATH; its port must be"),
        (
            "admin_listen",
            '"::1:1"',
            'HOST:PORT or unix:PATH; an IPv6 address needs brackets; did you mean "[',
        ),
        ("metrics_listen", "9464", 'HOST:PORT or "none"'),
        ("metrics_listen", '"nonsense"', 'HOST:PORT or "none"; its port must be'),
        ("metrics_listen", '"None"', 'HOST:PORT or "none"; its port must be'),
        ("metrics_listen", '"unix:/run/metrics"', 'HOST:PORT or "none"'),
    ],
)
def test_an_address_of_another_form_is_refused(key: str, value: str, allowed: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"{key} = {value}\n")
    (problem,) = problems(file)
    shown = value.replace('"', "'")
    assert problem.startswith(f"{file}:1: {key}: {shown} cannot be used; allowed: {allowed}")


def test_a_contradiction_uses_the_names_of_its_place(tmp_path: Path) -> None:
    assert problems(None, {"PEGCOUNT_TLS_KEY": "key.pem"}) == ["PEGCOUNT_TLS_KEY needs --tls-cert, too"]
    assert problems(None, None, {"tls_key": "key.pem"}) == ["--tls-key needs --tls-cert, too"]
    assert problems(None, None, {"listen": "127.0.0.1:7", "metrics_listen": "127.0.0.1:7"}) == [
        "two of listen, admin_listen and metrics_listen are 127.0.0.1:7; each needs its own"
    ]


def test_what_may_go_with_the_value_that_is_meant_is_not_blamed(tmp_path: Path) -> None:
    file = written(tmp_path, '[tls]\ncertificate = "c.pem"\nkey = 5\n')
    assert problems(file) == [f"{file}:3: tls.key: 5 cannot be used; allowed: a text"]


def test_without_a_data_directory_nothing_is_served() -> None:
    with pytest.raises(SettingsError, match="give --store, PEGCOUNT_STORE, or store in the file"):
        loaded().settings()


def test_settings_without_effect_are_named(tmp_path: Path) -> None:
    text = (
        "[log]\ncalls = false\nslow_call_seconds = 2\n[config]\nretry_count_max = 3\n"
        "write_stream_count_per_peer_max = 17\nanswer_read_seconds_beyond = 31\n"
    )
    file = written(tmp_path, text)
    assert [str(each) for each in loaded(file).warnings()] == [
        f"{file}:3: log.slow_call_seconds has no effect, as log.calls is false",
        f"{file}:7: config.answer_read_seconds_beyond has no effect, as config.answer_read_seconds is less",
        f"{file}:6: config.write_stream_count_per_peer_max has no effect, as config.write_stream_count_max is"
        " less",
        f"{file}:5: config.retry_count_max has no effect on a server: other commands read it",
    ]
    assert loaded().warnings() == ()
