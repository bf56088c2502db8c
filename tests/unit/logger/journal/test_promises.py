"""What receipts wait for: a state machine beside a simple model, cancelled waits, the end."""

import threading
from concurrent.futures import Future

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from metaexpert.exceptions import ReceiptError
from metaexpert.logger.journal.promises import Promises, answered


def outcome(future: Future[None]) -> str:
    """Of a future: "waits", "" when it was kept, else the reason."""
    if not future.done():
        return "waits"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    return "" if error is None else str(error)


class Machine(RuleBasedStateMachine):
    """Beside it: what each future has to say by now."""

    def __init__(self) -> None:
        super().__init__()
        self.promises = Promises()
        self.begun = 0
        self.best = 0
        self.ended = False
        self.syncs: list[tuple[int, Future[None]]] = []
        self.deliveries: list[tuple[int, int, Future[None]]] = []
        self.said: dict[int, str] = {}

    def settle(self, future: Future[None], text: str) -> None:
        if self.said[id(future)] == "waits":
            self.said[id(future)] = text

    @rule()
    def ask_for_sync(self) -> None:
        future = self.promises.sync_after(self.begun)
        self.syncs.append((self.begun, future))
        self.said[id(future)] = "" if self.best > self.begun else "over" if self.ended else "waits"

    @rule(seq=st.integers(1, 3), bit=st.integers(0, 2))
    def ask_for_delivery(self, seq: int, bit: int) -> None:
        future = self.promises.delivery(seq, bit)
        self.deliveries.append((seq, bit, future))
        self.said[id(future)] = "over" if self.ended else "waits"

    @rule(well=st.booleans())
    def sync(self, well: bool) -> None:
        self.begun += 1
        for since, future in self.syncs:
            if not well or since < self.begun:
                self.settle(future, "" if well else "bad disk")
        if well:
            self.best = self.begun
            self.promises.synced(self.begun)
        else:
            self.promises.fail_syncs("bad disk")

    @rule(seq=st.integers(1, 3), bit=st.integers(0, 2), verdict=st.sampled_from([None, "", "refused"]))
    def answer(self, seq: int, bit: int, verdict: str | None) -> None:
        self.promises.answer(lambda *asked: verdict if asked == (seq, bit) else None)
        for each_seq, each_bit, future in self.deliveries:
            if verdict is not None and (each_seq, each_bit) == (seq, bit):
                self.settle(future, verdict)

    @rule(data=st.data())
    def give_up_waiting(self, data: st.DataObject) -> None:
        futures = [each[-1] for each in (*self.syncs, *self.deliveries)]
        if futures:
            future = data.draw(st.sampled_from(futures))
            if future.cancel():
                self.settle(future, "cancelled")

    @rule()
    def end(self) -> None:
        self.ended = True
        self.promises.end("over")
        for each in (*self.syncs, *self.deliveries):
            self.settle(each[-1], "over")

    @invariant()
    def each_says_what_it_has_to(self) -> None:
        for each in (*self.syncs, *self.deliveries):
            assert outcome(each[-1]) == self.said[id(each[-1])]

    @invariant()
    def nothing_is_kept_that_nobody_waits_for(self) -> None:
        waits = [outcome(each[-1]) in {"waits", "cancelled"} for each in self.syncs]
        assert self.promises.awaits_sync <= any(waits)
        if self.ended:
            assert (self.promises.awaits_sync, self.promises.awaits_delivery) == (False, False)


TestPromises = Machine.TestCase
TestPromises.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_two_who_wait_for_the_same_are_both_told():
    promises = Promises()
    futures = [promises.delivery(1, 1), promises.delivery(1, 1)]
    promises.answer(lambda *_: "")
    assert [outcome(each) for each in futures] == ["", ""]


def test_whoever_asks_while_another_thread_ends_it_is_answered():
    promises = Promises()
    futures: list[Future[None]] = []
    begin = threading.Barrier(2)

    def ask() -> None:
        begin.wait()
        for number in range(2000):
            futures.extend((promises.sync_after(number), promises.delivery(number, 0)))

    asking = threading.Thread(target=ask)
    asking.start()
    begin.wait()
    promises.end("over")
    asking.join()
    promises.end("over")
    assert {outcome(each) for each in futures} == {"over"}


@pytest.mark.parametrize(("reason", "told"), [("", ""), ("why", "why")])
def test_an_answer_known_at_once(reason: str, told: str):
    assert outcome(answered(reason)) == told


def test_a_reason_comes_as_a_receipt_error():
    with pytest.raises(ReceiptError, match="why"):
        answered("why").result()
