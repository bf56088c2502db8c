"""The collector's pure parts: what it keeps, which faults are in force, what a filter leaves."""

import pytest

from metaexpert.demo.collector.faults import Fault, FaultOrder, FaultPlan, parse_fault
from metaexpert.demo.collector.filter_path import filter_response
from metaexpert.demo.collector.store import EntryStore, dump_stores
from metaexpert.demo.collector.wire import Json, TooLarge, Unreadable, decode_body


class TestStore:
    def test_the_first_copy_is_stored_and_the_others_counted(self):
        store = EntryStore()
        assert [store.add("a-1", "INFO", "general", "line", {}) for _ in range(3)] == [True, False, False]
        assert (len(store), store.copies, store.conflicting_ids) == (1, {"a-1": 3}, [])

    def test_empty_contents_are_told_apart_from_nothing(self):
        store = EntryStore()
        assert store.add("a-1", "", "", "", {})
        assert not store.add("a-1", "", "", "", {})

    def test_kinds_beyond_what_the_bits_number_share_one(self):
        store = EntryStore()
        for number in range(300):
            store.add(f"a-{number}", "INFO", f"type {number}", "line", {})
        kinds = [kind for _, kind in store.items()]
        assert kinds[0] == ("INFO", "type 0")
        assert kinds[254] == ("INFO", "type 254")
        assert set(kinds[255:]) == {("OTHER", "other")}

    def test_stores_of_one_target_are_dumped_together(self):
        first, second = EntryStore(), EntryStore()
        first.add("a-1", "INFO", "general", "line", {})
        second.add("a-2", "WARNING", "gap", "line", {"dropped": 3})
        assert dump_stores([first, second]) == {
            "ids": ["a-1", "a-2"],
            "kind": [0, 1],
            "kinds": [["INFO", "general"], ["WARNING", "gap"]],
            "copies": {},
            "conflicting": [],
            "gaps": [{"dropped": 3}],
        }


class TestFaults:
    def test_a_fault_ends_at_its_time(self):
        plan = FaultPlan()
        plan.set(("loki",), Fault("503", until=10.0))
        assert plan.current("loki", 9.9) is not None
        assert plan.current("loki", 10.0) is None

    def test_a_fault_ends_after_its_requests(self):
        plan = FaultPlan()
        plan.set(("loki",), Fault("503", requests_left=2))
        assert [plan.take("loki", 0) is not None for _ in range(3)] == [True, True, False]

    def test_looking_uses_no_request_up(self):
        plan = FaultPlan()
        plan.set(("loki",), Fault("503", requests_left=1))
        assert plan.current("loki", 0) == plan.current("loki", 0)
        assert plan.take("loki", 0) is not None

    def test_targets_fail_alone(self):
        plan = FaultPlan()
        plan.set(("loki",), Fault("503"))
        assert plan.take("elasticsearch", 0) is None

    def test_an_order_is_read(self):
        order = parse_fault({"target": "all", "mode": "429", "seconds": 2, "retry_after": 1}, now=5.0)
        assert order == FaultOrder(("loki", "elasticsearch"), Fault("429", retry_after_seconds=1, until=7.0))

    @pytest.mark.parametrize(
        "order", [[], {"mode": "nap"}, {"mode": "503", "target": "x"}, {"mode": "503", "seconds": True}]
    )
    def test_another_order_is_refused_with_words(self, order: Json):
        assert isinstance(parse_fault(order, now=0.0), str)


class TestBodies:
    def test_inflating_stops_at_the_limit(self):
        import gzip

        bomb = gzip.compress(b"0" * 1_000_000)
        assert decode_body(bomb, "gzip", 1000) == TooLarge(1000)
        assert decode_body(b"x" * 1001, "", 1000) == TooLarge(1000)
        assert decode_body(gzip.compress(b"x") + b"trailing", "gzip", 1000) == Unreadable("gzip: invalid header")

    def test_an_unknown_encoding_is_refused(self):
        assert isinstance(decode_body(b"x", "br", 1000), Unreadable)


@pytest.mark.parametrize(
    ("filter_path", "left"),
    [
        (
            "",
            {
                "took": 1,
                "errors": True,
                "items": [{"create": {"status": 201}}, {"index": {"status": 400, "error": {"type": "x"}}}],
            },
        ),
        ("errors", {"errors": True}),
        ("items.*.error", {"items": [{"index": {"error": {"type": "x"}}}]}),
        ("errors,items.*.status", {"errors": True, "items": [{"create": {"status": 201}}, {"index": {"status": 400}}]}),
        ("items.create", {"items": [{"create": {"status": 201}}]}),
        ("nothing", {}),
    ],
)
def test_a_filter_keeps_the_named_parts(filter_path: str, left: Json):
    response: Json = {
        "took": 1,
        "errors": True,
        "items": [{"create": {"status": 201}}, {"index": {"status": 400, "error": {"type": "x"}}}],
    }
    assert filter_response(response, filter_path) == left
