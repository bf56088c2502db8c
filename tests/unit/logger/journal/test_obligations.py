"""Which sinks have still to settle what: a state machine beside a simple model, and what receipts are told."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.fake_sinks import capture

from metaexpert.logger.entry import LASTI, OF_ANOTHER_RUN
from metaexpert.logger.journal.obligations import MOST_SINKS, ROUTED, Obligations

SINKS = ("a", "b", "c")


class Segment:
    """Marks by place."""

    def __init__(self) -> None:
        self.settled = 0
        self.marks: dict[int, int] = {}
        self.closed = False

    def mark(self, at: int, bit: int) -> None:
        self.mark_all(at, self.mark_of(at) | 1 << bit)

    def mark_all(self, at: int, mark: int) -> None:
        if self.closed:
            raise ValueError("closed")
        self.marks[at] = mark

    def mark_of(self, at: int) -> int:
        if self.closed:
            raise ValueError("closed")
        return self.marks.get(at, 0)


class Machine(RuleBasedStateMachine):
    """Beside it: by entry the sinks that owe it, None while it is not routed; who refused it."""

    def __init__(self) -> None:
        super().__init__()
        self.obligations = Obligations()
        self.obligations.know(SINKS)
        self.segments = [Segment()]
        self.model: dict[int, set[str] | None] = {}
        self.places: dict[int, tuple[Segment, int]] = {}
        self.taken: dict[int, set[str]] = {}
        self.refused: set[tuple[int, str]] = set()
        self.gone: set[str] = set()

    def place(self, seq: int) -> tuple[Segment, int]:
        self.places[seq] = (self.segments[-1], seq)
        return self.places[seq]

    @rule()
    def log(self) -> None:
        seq = len(self.model) + 1
        self.obligations.kept[seq] = self.place(seq)
        self.model[seq] = None

    @precondition(lambda self: None in self.model.values())
    @rule(data=st.data(), names=st.sets(st.sampled_from(SINKS)))
    def route(self, data: st.DataObject, names: set[str]) -> None:
        waiting = [seq for seq, owed in self.model.items() if owed is None]
        chosen = data.draw(st.lists(st.sampled_from(waiting), min_size=1, unique=True))
        names -= self.gone
        unknown = capture(10**6)
        self.obligations.routed([unknown, *[capture(seq) for seq in chosen]], self.obligations.mask([*names, "?"]))
        for seq in chosen:
            self.model[seq] = set(names)
            self.taken[seq] = set(names)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), sink=st.sampled_from(SINKS), reason=st.sampled_from(["", "no"]))
    def settle(self, data: st.DataObject, sink: str, reason: str) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.model)), unique=True))
        bit = self.obligations.bits[sink]
        found = self.obligations.settled(bit, [capture(seq) for seq in chosen], reason)
        expected = [seq for seq in chosen if sink in (self.model[seq] or ())]
        assert found == expected
        for seq in expected:
            (self.model[seq] or set()).discard(sink)
            if reason:
                self.refused.add((seq, sink))

    @rule(sink=st.sampled_from(SINKS))
    def disown(self, sink: str) -> None:
        self.obligations.disown(self.obligations.bits[sink], "removed")
        self.gone.add(sink)
        for seq, owed in self.model.items():
            if owed is not None and sink in owed:
                owed.discard(sink)
                self.refused.add((seq, sink))

    @rule()
    def write_anew(self) -> None:
        old = self.segments[-1]
        self.segments.append(Segment())
        for seq, (segment, at) in list(self.obligations.kept.items()):
            assert isinstance(segment, Segment)
            self.obligations.move(seq, (segment, at), self.place(seq))
        old.closed = True

    @invariant()
    def keeps_exactly_what_somebody_needs(self) -> None:
        kept = {seq for seq, owed in self.model.items() if owed is None or owed}
        assert self.obligations.kept.keys() == kept
        for name in SINKS:
            bit = self.obligations.bits[name]
            for seq, owed in self.model.items():
                assert self.obligations.is_owed(seq, bit) == (name in (owed or ()))
                assert self.obligations.is_settled(seq, bit) == (owed is not None and name not in owed)
        owing = {name: sum(name in (owed or ()) for owed in self.model.values()) for name in SINKS}
        assert self.obligations.laggards() == {name: count for name, count in owing.items() if count}

    @invariant()
    def marks_say_the_same(self) -> None:
        for seq in self.obligations.kept:
            segment, at = self.places[seq]
            owed = self.model[seq]
            mark = segment.mark_of(at)
            assert bool(mark & ROUTED) == (owed is not None)
            if owed is not None:
                assert {name for name in SINKS if not mark >> self.obligations.bits[name] & 1} == owed

    @invariant()
    def refusals_say_why(self) -> None:
        for seq, names in self.taken.items():
            for name in SINKS:
                reason = self.obligations.refusal(seq, self.obligations.bits[name])
                if name not in names:
                    assert reason == "it does not take such entries"
                elif name not in (self.model[seq] or ()):
                    assert (reason is not None) == ((seq, name) in self.refused)


TestObligations = Machine.TestCase
TestObligations.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_further_sinks_than_bits_are_served_without_being_kept_for():
    obligations = Obligations()
    names = [f"s{number}" for number in range(MOST_SINKS + 5)]
    assert obligations.know(names)
    assert list(obligations.bits) == names[:MOST_SINKS]
    assert obligations.mask(names) == (1 << MOST_SINKS) - 1
    assert not obligations.know(names[:MOST_SINKS])


def test_an_entry_kept_for_a_former_run_is_owed_until_it_is_settled():
    obligations, segment = Obligations(), Segment()
    obligations.know(SINKS)
    obligations.owe(5, (segment, 8), obligations.mask(["b"]))
    assert obligations.settled(0, [capture(5)]) == []
    assert obligations.settled(1, [capture(5)]) == [5]
    assert (segment.settled, segment.marks, obligations.kept) == (1, {8: 2}, {})


def test_what_was_refused_long_ago_is_forgotten_in_time():
    obligations, segment = Obligations(), Segment()
    obligations.know(SINKS)
    for seq in range(12_000):
        obligations.kept[seq] = (segment, seq)
        obligations.routed([capture(seq)], 1)
        obligations.settled(0, [capture(seq)], "no")
    assert len(obligations._refusals) <= 10_000
    assert len(obligations._takers) <= 10_000
    assert obligations.refusal(11_999, 0) == "no"
    assert segment.settled == 12_000


def test_a_receipt_asked_so_late_that_nothing_is_known_is_not_told_that_the_sink_has_it():
    obligations, segment = Obligations(), Segment()
    obligations.know(SINKS)
    for seq in range(10_001):
        obligations.kept[seq] = (segment, seq)
        obligations.routed([capture(seq)], 1)
        obligations.settled(0, [capture(seq)], "no" if seq == 0 else "")
    assert "no longer known" in (obligations.refusal(0, 0) or "")
    assert obligations.refusal(10_000, 0) is None


def test_a_sink_added_later_owes_nothing_of_what_was_routed_before():
    obligations, segment = Obligations(), Segment()
    obligations.know(["a"])
    obligations.kept[1] = (segment, 8)
    obligations.routed([capture(1)], obligations.mask(["a"]))
    obligations.know(["later"])
    assert not segment.marks[8] >> obligations.bits["a"] & 1
    assert segment.marks[8] >> obligations.bits["later"] & 1


def test_an_entry_of_another_run_with_the_same_number_settles_nothing():
    obligations, segment = Obligations(), Segment()
    obligations.know(SINKS)
    obligations.kept[1] = (segment, 8)
    obligations.routed([capture(1)], 1)
    theirs = capture(1)
    assert obligations.settled(0, [(*theirs[:LASTI], OF_ANOTHER_RUN, *theirs[LASTI + 1 :])]) == []
    assert 1 in obligations.kept
    assert obligations.settled(0, [capture(1)]) == [1]


def test_a_mark_that_cannot_be_written_settles_all_the_same():
    obligations, segment = Obligations(), Segment()
    obligations.know(SINKS)
    segment.closed = True
    obligations.kept[1] = (segment, 8)
    obligations.routed([capture(1)], 1)
    assert obligations.settled(0, [capture(1)]) == [1]
    assert obligations.kept == {}
