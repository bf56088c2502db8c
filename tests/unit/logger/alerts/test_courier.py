"""One target's messages: when it is down, slow, refuses, asks for silence, and when logging stops."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from support.alerting import FakeTarget, SetClock, message_of
from support.eventually import eventually

from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.courier import Courier, Rhythm
from metaexpert.logger.alerts.message import Message, Word
from metaexpert.logger.alerts.targets.base import Unsure
from metaexpert.logger.breaker import BreakerState
from metaexpert.logger.options.alert_targets import AlertTargetOptions
from metaexpert.logger.outcome import Delivered, Rejected, Retry
from metaexpert.logger.retry import SinkState


def word(rule: str = "r") -> Word:
    alert = Alert(
        rule=rule, severity=Severity.ERROR, state=AlertState.FIRING, group=(), text="t", count=1, since=0.0, at=0.0
    )
    return Word(alert, 0, 0)


class Desk:
    """A courier with a fake target, a clock that is set, and waits that are as long as they can be."""

    def __init__(self, *answers: Any, **options: Any) -> None:
        self.clock = SetClock()
        self.target = FakeTarget(*answers)
        self.told: list[tuple[int, str, Mapping[str, Any]]] = []
        self.courier = Courier(
            AlertTargetOptions(name="desk", **{"group_for": 0, "backoff_first": 1, "backoff_max": 8} | options),
            self.target,
            lambda words, rest, shed: message_of(*words, rest=rest, shed=shed),
            lambda level, message, fields: self.told.append((level, message, fields)),
            Rhythm(clock=self.clock, uniform=lambda _, most: most),
        )

    async def attempt_when_due(self) -> float:
        """Let the wait go by and try; how long it was, seconds."""
        wait = self.courier.due_in()
        assert wait is not None
        self.clock.now += wait
        await self.courier.attempt()
        return wait


async def test_a_target_that_is_down_is_tried_with_growing_waits_and_told_of_all_when_it_is_back():
    desk = Desk(*[Retry("refused")] * 5, max_alerts=2, max_pending=3)
    desk.courier.put(word("a"))
    waits = [await desk.attempt_when_due() for _ in range(3)]
    for rule in "bcd":
        desk.courier.put(word(rule))
    waits += [await desk.attempt_when_due() for _ in range(3)]
    assert waits == [0, 1, 2, 4, 8, 8]
    assert [each.alert.rule for each in desk.target.messages[-1].words] == ["b", "c"]
    assert (desk.target.messages[-1].more, desk.target.messages[-1].shed) == ({"d": 1}, 1)
    stats = desk.courier.stats
    assert (stats.delivered, stats.shed, stats.pending, stats.attempts, stats.messages) == (3, 1, 0, 6, 1)
    assert stats.state is SinkState.ACTIVE


async def test_the_log_is_told_once_that_a_target_is_down_and_once_that_it_is_back():
    desk = Desk(Retry("refused"), Retry("refused"), Retry("refused"))
    desk.courier.put(word())
    for _ in range(4):
        await desk.attempt_when_due()
    assert [(level, message) for level, message, _ in desk.told] == [
        (logging.WARNING, "desk cannot be told of 1 alert yet: refused"),
        (logging.INFO, "told desk of 1 alert in attempt 4"),
    ]
    assert [fields["outcome"] for _, _, fields in desk.told] == ["failed", "delivered"]


async def test_a_wish_for_silence_is_granted_and_an_operators_fault_waits_for_long():
    desk = Desk(Retry("429", 60.0), Retry("401", pause=True))
    desk.courier.put(word())
    assert [await desk.attempt_when_due() for _ in range(3)] == [0, 61, 8]


async def test_the_breaker_opens_and_closes():
    desk = Desk(*[Retry("no")] * 5)
    desk.courier.put(word())
    states = list[BreakerState]()
    for _ in range(6):
        await desk.attempt_when_due()
        states.append(desk.courier.stats.breaker)
    assert states == [BreakerState.CLOSED] * 4 + [BreakerState.OPEN, BreakerState.CLOSED]
    assert desk.courier.stats.last_error == "no"


async def test_what_is_refused_for_good_is_not_tried_again():
    desk = Desk(Rejected(400, "no such channel"))
    desk.courier.put(word())
    await desk.attempt_when_due()
    assert desk.courier.due_in() is None
    assert desk.courier.stats.failed == 1
    assert desk.told[0][1] == "desk refused 1 alert for good: 400 no such channel"


async def test_a_fault_of_the_targets_own_is_a_failure_like_any_other():
    desk = Desk(ValueError("bug"))
    desk.courier.put(word())
    await desk.attempt_when_due()
    assert desk.courier.stats.last_error == "ValueError: bug"
    await desk.attempt_when_due()
    assert desk.courier.stats.delivered == 1


async def test_a_target_that_never_answers_is_given_up_from_outside():
    desk = Desk(timeout=0.01)

    async def hang(message: Message) -> Delivered:
        desk.target.messages.append(message)
        return await asyncio.Future[Delivered]()

    desk.target.send = hang  # type: ignore[method-assign]
    desk.courier.put(word())
    await desk.courier.attempt(0.01)
    assert desk.courier.stats.last_error == "no answer within 0.01 s"


@contextlib.asynccontextmanager
async def running(courier: Courier) -> AsyncGenerator[None]:
    task = asyncio.create_task(courier.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_its_task_sends_what_comes_and_closes_the_target_at_its_end():
    desk = Desk()
    async with running(desk.courier):
        desk.courier.put(word("a"))
        await eventually(lambda: desk.target.messages)
        desk.courier.put(word("b"))
        await eventually(lambda: len(desk.target.messages) == 2)
    assert desk.target.closed == 1


async def test_at_a_stop_what_waits_gets_its_chance_at_once():
    desk = Desk(Retry("no"), group_for=3600)
    desk.courier.put(word())
    desk.courier._backoff = type(desk.courier._backoff)(0.001, 0.001)
    desk.courier._rhythm = Rhythm(uniform=lambda _, most: most)
    await desk.courier.finish(30.0)
    assert (desk.courier.stats.delivered, desk.target.closed) == (1, 1)


async def test_a_stop_waits_no_longer_than_it_has_time():
    desk = Desk(Retry("no", 300.0))
    desk.courier.put(word())
    async with asyncio.timeout(10):
        await desk.courier.finish(5.0)
    assert (desk.courier.stats.pending, desk.courier.stats.attempts, desk.target.closed) == (1, 1, 1)


@pytest.mark.parametrize("warning", ["", "not to a@b.c"])
async def test_a_warning_of_a_delivery_is_told_in_the_log(warning: str):
    desk = Desk(Delivered(warning=warning))
    desk.courier.put(word())
    await desk.attempt_when_due()
    ((level, _, fields),) = desk.told
    assert (level, fields.get("warning", "")) == (logging.WARNING if warning else logging.INFO, warning)


def test_an_attempt_of_a_closed_loop_does_not_hold_up_the_next_one():
    desk = Desk()

    async def hangs(_: Message) -> Delivered:
        return await asyncio.Future[Delivered]()

    async def begins() -> None:
        desk.courier.put(word())
        tasks.append(asyncio.create_task(desk.courier.run()))
        await eventually(lambda: desk.courier.stats.attempts == 1)

    async def goes_on() -> None:
        async with asyncio.timeout(10), running(desk.courier):
            await asyncio.sleep(0)  # it has begun, and nothing is due

    tasks: list[asyncio.Task[None]] = []
    desk.target.send = hangs  # type: ignore[method-assign]
    former = asyncio.new_event_loop()
    former.run_until_complete(begins())
    former.close()
    tasks[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    coroutine = tasks[0].get_coro()
    assert coroutine is not None
    with contextlib.suppress(RuntimeError):  # as the pipeline lets go of what ran on a loop that is no more
        coroutine.close()
    desk.courier._not_before = desk.clock.now + 3600.0
    asyncio.run(goes_on())
    assert desk.target.closed >= 1


async def test_a_message_that_may_have_arrived_goes_again_as_it_was_before_anything_newer():
    desk = Desk(Unsure("no answer"), Unsure("no answer"))
    desk.courier.put(word("a"))
    await desk.attempt_when_due()
    desk.courier.put(word("a"))
    desk.courier.put(word("b"))
    for _ in range(3):
        await desk.attempt_when_due()
    first, second, third, last = desk.target.messages
    assert first is second is third
    assert first.id != last.id
    assert [each.alert.rule for each in last.words] == ["a", "b"]
    assert desk.courier.stats.pending == 0


async def test_another_courier_sends_it_again_as_it_was():
    desk, after = Desk(Unsure("no answer")), Desk()
    desk.courier.put(word("a"))
    await desk.attempt_when_due()
    after.courier.take_over(desk.courier)
    after.courier.put(word("b"))
    await after.attempt_when_due()
    assert after.target.messages == desk.target.messages


async def test_what_was_cancelled_amid_an_attempt_may_have_arrived():
    class Endless(FakeTarget):
        async def send(self, message: Message) -> Any:
            self.messages.append(message)
            await asyncio.Event().wait()

    desk = Desk()
    desk.courier._target = endless = Endless()  # pyright: ignore[reportPrivateUsage]
    desk.courier.put(word("a"))
    attempt = asyncio.create_task(desk.courier.attempt())
    await asyncio.sleep(0)
    attempt.cancel()
    await asyncio.wait([attempt])
    desk.courier.put(word("b"))
    desk.courier._target = desk.target  # pyright: ignore[reportPrivateUsage]
    await desk.courier.attempt()
    assert desk.target.messages[0] is endless.messages[0]
