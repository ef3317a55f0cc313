"""Values of queries: always beside the text, as fields or as tables."""

import pytest
from pegcount.store.clickhouse.wire.form import FIELD_BYTES_MAX, Form, Query, form_of

LONG = "[" + ",".join(["1"] * FIELD_BYTES_MAX) + "]"


def parts_of(form: Form) -> list[tuple[str, str]]:
    """What the form says of each part, and the part."""
    boundary = form.content_type.partition("boundary=")[2]
    first, *parts, last = form.body.decode().split(f"--{boundary}")
    assert (first, last) == ("", "--\r\n")
    heads = [part.removeprefix("\r\n").removesuffix("\r\n").partition("\r\n\r\n") for part in parts]
    return [(head.removeprefix("Content-Disposition: form-data; "), content) for head, _, content in heads]


def test_values_are_fields() -> None:
    text = "SELECT {a:Int64}, {b:String}"
    form = form_of(Query(text, {"a": "1", "b": "ü\r\n--"}))
    expected = [('name="query"', text), ('name="param_a"', "1"), ('name="param_b"', "ü\r\n--")]
    assert parts_of(form) == expected
    assert form.settings == {}


@pytest.mark.parametrize("type_name", ["Array(UInt64)", "Array(FixedString(16))"])
def test_a_long_list_is_a_table(type_name: str) -> None:
    text = f"SELECT count() FROM t WHERE k IN {{keys:{type_name}}} AND (k IN {{keys:{type_name}}})"
    form = form_of(Query(text, {"keys": LONG}))
    table = "(SELECT arrayJoin(list) FROM keys)"
    expected = f"SELECT count() FROM t WHERE k IN {table} AND (k IN {table})"
    assert parts_of(form) == [('name="query"', expected), ('name="keys"; filename="keys"', LONG)]
    assert form.settings == {"keys_structure": f"list {type_name}"}


@pytest.mark.parametrize(
    "text",
    ["SELECT has({keys:Array(UInt64)}, 1)", "SELECT 1 IN {keys:Array(UInt64)}, {keys:Array(UInt64)}[1]"],
)
def test_a_long_value_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="keys has more than 120,000 bytes outside of IN"):
        form_of(Query(text, {"keys": LONG}))


def test_a_long_text_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 120,000 bytes"):
        form_of(Query("SELECT 1" + " " * FIELD_BYTES_MAX))
