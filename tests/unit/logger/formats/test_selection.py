"""Which keys a destination gets: by dotted path, in documents and in what users bring; the rest is left as it was."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_sinks import capture

from metaexpert.logger.entry import Capture, LogEntry
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.selection import ECS_KEYS, ENTRY_KEYS, JSON_KEYS, DocumentKeys, Selection
from metaexpert.logger.formats.text import TextLines
from metaexpert.logger.identity import Identity

IDENTITY = Identity(service="tests")
EXCEPTION = orjson.dumps({"type": "ValueError", "message": "bad", "traceback": "Traceback: bad"})
NAMES = st.text(st.sampled_from("ab."), min_size=1, max_size=5)
VALUES = st.recursive(st.integers(0, 3), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8)


def full_entry(log_type: str = "trade") -> Capture:
    """An entry with a value under every key there is."""
    made = list(capture(7, 40, log_type, message="all of it", time_ns=1_700_000_000_000_000_000))
    made[7], made[8] = b'"symbol":"BTC","book":{"bid":1,"ask":2}', b'"strategy":5'
    made[10] = "Task-1"
    made[12] = (EXCEPTION, b'"Stack"', b'{"price":"1.5","fee":"0.1"}')
    return tuple(made)  # type: ignore[return-value]


def selection(keys: DocumentKeys, exclude: tuple[str, ...] = (), include: tuple[str, ...] | None = None) -> Selection:
    return Selection(keys, include, exclude)


def document_of(encode: Callable[[Capture], bytes], chosen: Selection, entry: Capture) -> dict[str, Any]:
    """What a sink writes: the entry reshaped, encoded, and of that the selected keys."""
    return json.loads(chosen.documents(encode)(chosen.reshape(entry)))


class TestJson:
    def test_every_key_a_line_has_is_known_and_no_other(self):
        keys = {*json.loads(JsonLines(IDENTITY)(full_entry())), *json.loads(JsonLines(IDENTITY)(full_entry("error")))}
        assert keys == JSON_KEYS.mandatory | JSON_KEYS.optional

    @pytest.mark.parametrize("key", sorted(JSON_KEYS.optional))
    def test_each_optional_key_can_be_left_out_and_nothing_else_goes_with_it(self, key: str):
        entry = full_entry("error" if key == "error_context" else "trade")
        whole = json.loads(JsonLines(IDENTITY)(entry))
        less = document_of(JsonLines(IDENTITY), selection(JSON_KEYS, (key,)), entry)
        assert less == {name: value for name, value in whole.items() if name != key}

    def test_paths_reach_into_objects(self):
        exclude = ("extra.symbol", "extra.book.bid", "trade_data.fee", "exception.traceback")
        less = document_of(JsonLines(IDENTITY), selection(JSON_KEYS, exclude), full_entry())
        assert less["extra"] == {"strategy": 5, "book": {"ask": 2}}
        assert less["trade_data"] == {"price": "1.5"}
        assert less["exception"] == {"type": "ValueError", "message": "bad"}

    def test_an_object_that_is_left_empty_goes_too(self):
        exclude = ("extra.symbol", "extra.book", "extra.strategy")
        assert "extra" not in document_of(JsonLines(IDENTITY), selection(JSON_KEYS, exclude), full_entry())

    def test_what_is_included_comes_with_what_every_entry_needs(self):
        chosen = selection(JSON_KEYS, ("extra.book.ask",), ("extra.book", "task", "exception"))
        less = document_of(JsonLines(IDENTITY), chosen, full_entry())
        assert less.keys() == JSON_KEYS.mandatory | {"extra", "task", "exception"}
        assert less["extra"] == {"book": {"bid": 1}}

    def test_the_order_of_keys_and_their_bytes_stay(self):
        line = JsonLines(IDENTITY)(full_entry())
        chosen = selection(JSON_KEYS, ("thread",))
        less = chosen.documents(JsonLines(IDENTITY))(full_entry())
        thread = b',"thread":1'
        assert line.replace(thread, b"") == less

    def test_the_same_entry_gives_the_same_bytes_each_time(self):
        chosen = selection(JSON_KEYS, ("extra.symbol", "thread"))
        entry, encode = full_entry(), chosen.documents(JsonLines(IDENTITY))
        assert encode(chosen.reshape(entry)) == encode(chosen.reshape(entry))


class TestEcs:
    @pytest.mark.parametrize("key", sorted(ECS_KEYS.optional - {"error_context", "log.origin"}))
    def test_each_optional_key_can_be_left_out(self, key: str):
        whole = json.loads(EcsDocuments(IDENTITY)(full_entry()))
        less = document_of(EcsDocuments(IDENTITY), selection(ECS_KEYS, (key,)), full_entry())
        assert less == {name: value for name, value in whole.items() if name != key}

    def test_every_key_a_document_has_is_known(self):
        keys = json.loads(EcsDocuments(IDENTITY)(full_entry())).keys()
        assert {key for key in keys if not (ECS_KEYS.knows(key) or ECS_KEYS.needs(key))} == set()

    def test_parts_of_objects_go_alone(self):
        less = document_of(
            EcsDocuments(IDENTITY),
            selection(ECS_KEYS, ("log.origin", "process.thread", "error.stack_trace")),
            full_entry(),
        )
        assert less["log"].keys() == {"level", "logger"}
        assert less["process"].keys() == {"pid"}
        assert less["error"] == {"type": "ValueError", "message": "bad"}

    def test_included_alone_are_the_keys_every_document_needs(self):
        less = document_of(EcsDocuments(IDENTITY), selection(ECS_KEYS, include=("extra.symbol",)), full_entry())
        assert less.keys() == {"@timestamp", "message", "ecs", "event", "log", "extra"}
        assert less["log"].keys() == {"level", "logger"}
        assert less["event"]["id"].endswith("-7")
        assert less["extra"] == {"symbol": "BTC"}


class TestEntries:
    def test_text_lines_lose_fields_and_tracebacks(self):
        chosen = selection(ENTRY_KEYS, ("extra.symbol", "exception", "stack_info", "trade_data.fee"))
        line = TextLines(use_colors=False)(chosen.reshape(full_entry())).decode()
        assert line.endswith('made: all of it strategy=5 book={"bid":1,"ask":2} price=1.5')

    def test_an_entry_keeps_all_that_nobody_chose_about(self):
        entry = full_entry()
        again = selection(ENTRY_KEYS, ("extra.nothing",)).reshape(entry)
        assert LogEntry(again).extra() == LogEntry(entry).extra()
        assert LogEntry(again).trade_data() == LogEntry(entry).trade_data()
        assert (again[:7], again[9:12], again[12:]) == (entry[:7], entry[9:12], entry[12:])

    def test_an_entry_without_anything_brought_stays_as_it_is(self):
        plain = capture(1)
        assert selection(ENTRY_KEYS, ("extra",)).reshape(plain) == plain

    @given(st.dictionaries(NAMES, VALUES, max_size=4), st.sets(NAMES, max_size=3))
    def test_what_is_excluded_is_not_there_and_the_rest_is(self, fields: dict[str, Any], paths: set[str]):
        less = selection(ENTRY_KEYS, tuple(f"extra.{path}" for path in paths)).of({"extra": fields}).get("extra", {})
        assert _leaves(less) == {leaf for leaf in _leaves(fields) if not _named(leaf, paths)}

    @given(st.dictionaries(NAMES, VALUES, max_size=4), st.sets(NAMES, min_size=1, max_size=3))
    def test_what_is_included_is_there_and_nothing_else(self, fields: dict[str, Any], paths: set[str]):
        chosen = selection(ENTRY_KEYS, include=tuple(f"extra.{path}" for path in paths))
        less = chosen.of({"message": "m", "extra": fields})
        assert less["message"] == "m"
        assert _leaves(less.get("extra", {})) <= _leaves(fields)
        wanted = {leaf for leaf in _leaves(fields) if _named(leaf, paths)}
        assert _leaves(less.get("extra", {})) == wanted


def _named(leaf: str, paths: set[str]) -> bool:
    return any(leaf == path or leaf.startswith(f"{path}.") for path in paths)


def _leaves(table: dict[str, Any], above: str = "") -> set[str]:
    """Dotted names of all that is no object; different keys may share one."""
    found: set[str] = set()
    for key, value in table.items():
        found |= _leaves(value, f"{above}{key}.") if isinstance(value, dict) else {above + key}
    return found


@pytest.mark.parametrize("path", ["seq", "id", "message", "timestamp", "level.x"])
def test_what_every_line_needs_is_known_as_such(path: str):
    assert JSON_KEYS.needs(path)


@pytest.mark.parametrize("path", ["log", "log.level", "event.id", "event", "@timestamp", "ecs.version"])
def test_what_every_document_needs_is_known_as_such(path: str):
    assert ECS_KEYS.needs(path)
