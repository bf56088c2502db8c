"""Any nested structure becomes JSON within every limit, the same each time, and no key is lost to another."""

import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from metaexpert.logger.redaction import REDACTED, Redactor
from metaexpert.logger.walk import MAX_DEPTH, MAX_ITEMS, Walk

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.complex_numbers()
    | st.timedeltas()
)
KEYS = st.text(max_size=6) | st.integers(-3, 3) | st.none() | st.tuples(st.integers(0, 2)) | st.just("password")
NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(KEYS, inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.text())
    ),
    max_leaves=20,
)


def walked(fields: dict[Any, Any], limit_bytes: int = 4096) -> dict[str, Any]:
    return Walk(Redactor(), limit_bytes).fields(fields)


def depth_of(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth_of, parts), default=0) if isinstance(value, dict | list) else 0


def texts_of(value: Any) -> int:
    match value:
        case str():
            return len(value.encode())
        case dict():
            return sum(texts_of(key) + texts_of(one) for key, one in value.items())
        case list():
            return sum(map(texts_of, value))
        case _:
            return 0


@settings(max_examples=60, deadline=None)
@given(fields=st.dictionaries(KEYS, NESTED, max_size=8), limit_bytes=st.sampled_from([256, 4096, 65536]))
def test_anything_nested_is_json_within_the_limits_and_always_the_same(fields: dict[Any, Any], limit_bytes: int):
    plain = walked(fields, limit_bytes)
    encoded = orjson.dumps(plain)
    assert json.loads(encoded) == orjson.loads(encoded)
    assert depth_of(plain) <= MAX_DEPTH + 1
    assert texts_of(plain) <= limit_bytes + 64 * MAX_DEPTH + sum(len(str(key)) * 4 for key in fields)
    assert walked(fields, limit_bytes) == plain or b"nan" in encoded.lower()
    assert all(plain[key] == REDACTED for key in plain if "password" in key)


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(KEYS, st.integers(0, 9), max_size=20))
def test_different_keys_of_one_text_are_all_kept(values: dict[Any, int]):
    found = walked(values, 65536)
    assert len(found) == len(values)
    assert sorted(value for value in found.values() if value != REDACTED) == sorted(
        value for key, value in values.items() if not Redactor().hides(str(key))
    )


def test_a_keys_number_says_which_it_was():
    assert walked({1: "a", "1": "b", None: "c"}) == {"1": "a", "1…[1]": "b", "None": "c"}
    assert walked({"1": "b", 1: "a"}) == {"1": "b", "1…[1]": "a"}


def test_a_field_leaves_room_for_those_behind_it():
    found = walked({"big": "a" * 100_000, "bigger": list(range(100_000)), "last": "here"})
    assert found["last"] == "here"
    assert "cut" in found["big"]
    assert "cut" in str(found["bigger"])


def test_items_over_the_limit_are_counted():
    assert walked({"a": list(range(MAX_ITEMS + 44))}, 65536)["a"][-1] == "…[cut 44 items]"
