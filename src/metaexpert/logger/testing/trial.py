"""One check under way: entries that can be found again, written to a sink as the runtime would write them.

It runs in a thread with an event loop of its own, so that a sink that blocks its loop fails a check and not the run.
"""

import asyncio
import gc
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from secrets import token_hex
from typing import Any, Final, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.outcome import Delivered, Outcome, Partial, Rejected, Retry
from metaexpert.logger.sinks.base import Sink, SinkParts
from metaexpert.logger.testing.entries import new_entry
from metaexpert.logger.testing.harness import SinkHarness
from metaexpert.logger.testing.watch import Holdings

_BETWEEN_ATTEMPTS_SECONDS: Final = 0.02
_POLL_SECONDS: Final = 0.01
_MOST_SHOWN: Final = 10

type Check = Callable[["Trial"], Awaitable[None]]


def require(condition: object, rule: str) -> None:
    """Fail with the rule that is broken.

    Raises:
        AssertionError: `condition` does not hold.
    """
    __tracebackhide__ = True
    if not condition:
        raise AssertionError(rule)


def run_trial(harness: SinkHarness, check: Check, limit_seconds: float, patience_seconds: float) -> None:
    """Run `check` to its end.

    Raises:
        AssertionError: it failed, or did not end within `limit_seconds`.
    """
    __tracebackhide__ = True
    raised: list[BaseException] = []

    def body() -> None:
        try:
            asyncio.run(_entered(harness, check, patience_seconds))
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits
            raised.append(error)

    thread = threading.Thread(target=body, name="sink-conformance", daemon=True)
    thread.start()
    thread.join(limit_seconds)
    require(not thread.is_alive(), f"not over after {limit_seconds:g} s: the sink blocks the event loop or never ends")
    if raised:
        raise raised[0]


async def _entered(harness: SinkHarness, check: Check, patience_seconds: float) -> None:
    unheard: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unheard.append(f"{context['message']} {context.get('exception')!r}"))
    async with harness:
        trial = Trial(harness, patience_seconds)
        try:
            await check(trial)
        finally:
            await trial.clean_up()
    gc.collect()
    await asyncio.sleep(0)
    require(not unheard, f"the sink leaves faults behind that nobody heard of: {'; '.join(unheard)}")


@final
class Trial:
    """A harness in use.

    Args:
        harness: the destination.
        patience_seconds: how long anything that has to happen may take.
    """

    def __init__(self, harness: SinkHarness, patience_seconds: float) -> None:
        self.harness = harness
        self.patience_seconds = patience_seconds
        self.mark = f"conformance-{token_hex(4)}"
        self.count = 0
        self._sinks: list[Sink] = []
        identity = Identity(service="conformance")
        self.parts = SinkParts(name="conformance", identity=identity, json_line=JsonLines(identity), jobs=Jobs())

    def new_sink(self) -> Sink:
        """A sink to the harness's destination."""
        sink = self.harness.new_sink(self.parts)
        self._sinks.append(sink)
        return sink

    async def clean_up(self) -> None:
        """Close what a failed check left open, so that it harms no other; whether that works has a check of its own."""
        for sink in self._sinks:
            with suppress(Exception):
                async with asyncio.timeout(self.patience_seconds):
                    await sink.close()

    # ---- entries ----------------------------------------------------------------------------------------------

    def next_message(self) -> str:
        """A message that can be found again."""
        self.count += 1
        return f"{self.mark}-{self.count:06d}"

    def entries(self, count: int, **fields: Any) -> list[Capture]:
        """As many new entries."""
        return [new_entry(self.next_message(), symbol="BTCUSDT", **fields) for _ in range(count)]

    def batch(self, sink: Sink, entries: Iterable[Capture]) -> Batch:
        """A batch of them."""
        entries = list(entries)
        return Batch(entries, [sink.encode(entry) for entry in entries])

    async def require_stored(self, why: str) -> None:
        """Every entry so far is stored, in order, and once where the destination tells repeats."""
        text = await self.harness.stored()
        found = [int(number) for number in re.findall(rf"{self.mark}-(\d{{6}})", text)]
        first = list(dict.fromkeys(found))
        missing = sorted(set(range(1, self.count + 1)) - set(found))
        require(not missing, f"{why}: {len(missing)} of {self.count} entries are lost: {_shown(missing)}")
        require(first == sorted(first), f"{why}: the order is not that of the calls: {_shown(first)}")
        repeated = sorted({number for number in found if found.count(number) > 1})
        if self.harness.tells_repeats:
            require(not repeated, f"{why}: {len(repeated)} entries are stored more than once: {_shown(repeated)}")

    # ---- writing ----------------------------------------------------------------------------------------------

    async def attempt(self, sink: Sink, batch: Batch) -> Outcome:
        """Write once; whatever the rules of `write` forbid fails."""
        before = list(batch.entries), list(batch.parts)
        try:
            outcome: Any = await sink.write(batch)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise AssertionError(
                f"write raised {told}; a fault of the destination is an outcome, such as Retry"
            ) from error
        require(
            isinstance(outcome, Delivered | Partial | Rejected | Retry),
            f"write answered {outcome!r}; it has to answer Delivered, Partial, Rejected or Retry",
        )
        require((batch.entries, batch.parts) == before, "write changed its batch; the same bytes have to go out again")
        if isinstance(outcome, Partial):
            named = [*outcome.retry, *(rejection.position for rejection in outcome.rejected)]
            require(
                len(set(named)) == len(named) and all(0 <= at < len(batch) for at in named),
                f"Partial names positions {named} of a batch of {len(batch)}; each may be named once and must exist",
            )
        return outcome

    async def attempt_for(self, sink: Sink, batch: Batch, seconds: float) -> Outcome | None:
        """Write once and cancel it after `seconds`; None when it was cancelled."""
        writing = asyncio.create_task(self.attempt(sink, batch))
        done, _ = await asyncio.wait([writing], timeout=seconds)
        return writing.result() if done else await self.cancelled(writing)

    async def cancelled(self, writing: "asyncio.Task[Outcome]") -> Outcome | None:
        """Cancel a write; its outcome, when it had one nevertheless."""
        writing.cancel()
        done, _ = await asyncio.wait([writing], timeout=self.patience_seconds)
        require(done, f"a cancelled write did not end within {self.patience_seconds:g} s; logging could not stop")
        with suppress(asyncio.CancelledError):
            return writing.result()
        return None

    async def deliver(self, sink: Sink, batch: Batch) -> list[Capture]:
        """Write until all is settled, as the runtime would: the entries that were rejected."""
        deadline = time.monotonic() + self.patience_seconds
        rejected: list[Capture] = []
        waiting = [batch]
        while waiting:
            outcome = await self.attempt(sink, waiting[0])
            match outcome:
                case Delivered():
                    waiting.pop(0)
                case Rejected() if len(waiting[0]) > 1:
                    waiting[:1] = waiting[0].halves()
                case Rejected():
                    rejected += waiting.pop(0).entries
                case Partial():
                    rejected += [waiting[0].entries[rejection.position] for rejection in outcome.rejected]
                    again = waiting[0].subset(outcome.retry)
                    waiting[:1] = [again] if again.entries else []
                case Retry():
                    late = time.monotonic() > deadline
                    require(not late, f"nothing is wrong, and yet write still answers: {outcome.reason}")
                    await asyncio.sleep(_BETWEEN_ATTEMPTS_SECONDS)
        return rejected

    async def store(self, sink: Sink, count: int, **fields: Any) -> None:
        """Deliver as many new entries, all of them."""
        rejected = await self.deliver(sink, self.batch(sink, self.entries(count, **fields)))
        require(not rejected, f"{len(rejected)} ordinary entries were rejected by a destination that works")

    # ---- what is left behind ----------------------------------------------------------------------------------

    async def require_released(self, before: Holdings, why: str) -> None:
        """Nothing is held beyond what was held before."""
        deadline = time.monotonic() + self.patience_seconds
        while left := Holdings.now().beyond(before):
            require(time.monotonic() < deadline, f"{why}: close has to release {', '.join(left)}")
            await asyncio.sleep(_POLL_SECONDS)

    async def close(self, sink: Sink) -> None:
        """Close the sink, which must not fail or hang."""
        try:
            async with asyncio.timeout(self.patience_seconds):
                await sink.close()
        except TimeoutError:
            raise AssertionError(f"close did not end within {self.patience_seconds:g} s") from None
        except Exception as error:
            raise AssertionError(f"close raised {type(error).__name__}: {error}") from error


def _shown(numbers: list[int]) -> str:
    more = ", …" if len(numbers) > _MOST_SHOWN else ""
    return f"{', '.join(map(str, numbers[:_MOST_SHOWN]))}{more}"
