"""On which line a key stands."""

import time
import tomllib

from hypothesis import given
from hypothesis import strategies as st
from pegcount.settings.toml_lines import lines_of_keys

TEXT = '''\
# comment
data = "x"  # listen = "no"

text = """
[tls]
key = 1
"""
list = [
  "a",

  # b = 2
  "c",
]
log.level = "info"
"quoted key" = 'x = 1'
inline = { a = 1, b.c = 2 }

[config]   # comment
worker_count = 3
  [tuning.deep]
  row_cost_ns = 4
[[many]]
a = 1
[[many]]
b = 2
'''


def test_each_key_has_the_line_on_which_its_statement_begins() -> None:
    assert lines_of_keys(TEXT) == {
        ("data",): 2,
        ("text",): 4,
        ("list",): 8,
        ("log",): 14,
        ("log", "level"): 14,
        ("quoted key",): 15,
        ("inline",): 16,
        ("inline", "a"): 16,
        ("inline", "b"): 16,
        ("inline", "b", "c"): 16,
        ("config",): 18,
        ("config", "worker_count"): 19,
        ("tuning",): 20,
        ("tuning", "deep"): 20,
        ("tuning", "deep", "row_cost_ns"): 21,
        ("many",): 22,
        ("many", "a"): 23,
        ("many", "b"): 25,
    }


def test_line_ends_of_windows_do_not_count() -> None:
    assert lines_of_keys(TEXT.replace("\n", "\r\n")) == lines_of_keys(TEXT)
    assert lines_of_keys("a = 1") == {("a",): 1}
    assert lines_of_keys("") == {}


VALUES = st.sampled_from(
    [
        '"x"',
        "1",
        r'"]\" # \\"',
        r"'\'  # [",
        '"""\n[a]\nb = 1\n"""',
        '""""[\n"""""',
        r'"""\"""' + '\n{ """',
        "'''\n]\n'''",
        "''''[\n\\''''",
        "[\n1, # ]\n\n]",
        '[\n[ "[" ],\n{ a = "]\'" },\n]',
        "{ z = 1 }",
    ]
)


@given(st.lists(st.tuples(st.sampled_from(["", "\n", "# a = 1\n", "[t{}]\n"]), VALUES), max_size=20))
def test_the_line_of_a_key_begins_with_it(statements: list[tuple[str, str]]) -> None:
    text = "".join(
        f"{before.format(number)}k{number} = {value}\n" for number, (before, value) in enumerate(statements)
    )
    tomllib.loads(text)
    lines = text.split("\n")
    found = {keys[-1]: line for keys, line in lines_of_keys(text).items() if keys[-1].startswith("k")}
    assert len(found) == len(statements)
    assert all(lines[line - 1].startswith(f"{key} = ") for key, line in found.items())


def test_a_long_value_takes_no_longer_than_its_length() -> None:
    """This takes minutes if a list is parsed again with each of its lines."""
    lines = 20_000
    list_of_lines = "\n".join(['accept_loss_of = ["" # [', *['"a[",'] * lines, "]"]).replace('""', '"",')
    text = f"{list_of_lines}\nlong = '''{'[' * lines}'''\nlast = 1"
    tomllib.loads(text)
    began_s = time.process_time()
    assert lines_of_keys(text) == {("accept_loss_of",): 1, ("long",): lines + 3, ("last",): lines + 4}
    assert time.process_time() - began_s < 5
