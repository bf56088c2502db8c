"""The companion that watches entries and statistics by the rules, and has the targets told.

As an observer it only lets the rules look; everything slower is done by its own task on the same loop. Entries have the
times of their calls, so that a loop that was busy makes no burst of them. Its own entries are never looked at.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, final

from metaexpert.logger.alerts import assembly
from metaexpert.logger.alerts.alert import Alert
from metaexpert.logger.alerts.courier import Courier, Rhythm
from metaexpert.logger.alerts.engine import Engine
from metaexpert.logger.alerts.figures import AlertStats
from metaexpert.logger.alerts.message import Message, Word, fields_of, headline
from metaexpert.logger.context import PIPELINE, current_fields
from metaexpert.logger.entry import ALERT, LASTI, MONOTONIC_NS, OF_ANOTHER_RUN, RECOVERED_FROM, SEQ, Capture
from metaexpert.logger.formats.controls import neutralised
from metaexpert.logger.options.alert_rules import AnyRule
from metaexpert.logger.options.alert_targets import AnyTarget
from metaexpert.logger.options.alerts import AlertsOptions
from metaexpert.logger.own_entries import own_entry
from metaexpert.logger.port import port
from metaexpert.logger.tasks import OwnedTask, ended

if TYPE_CHECKING:
    from metaexpert.logger.companions import Surroundings

ALERTS_LOGGER: Final = "metaexpert.alerts"
_NS: Final = 1_000_000_000


@final
class AlertWatch:
    """Rules and targets of one configuration.

    Args:
        options: what they are.
        service: whose alerts these are.
        surroundings: the pipeline as it sees it.
        former: what watched by another configuration; rules and targets that stay the same go on where they are.
        rhythm: clock and random source.
        time_ns: UTC, nanoseconds since the epoch.
    """

    def __init__(
        self,
        options: AlertsOptions,
        service: str,
        surroundings: "Surroundings",
        former: "AlertWatch | None" = None,
        *,
        rhythm: Rhythm | None = None,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._options = options
        self._service = service
        self._surroundings = surroundings
        self._former = former
        self._rhythm = rhythm or Rhythm()
        self._time_ns = time_ns
        self._by_name: dict[str, AnyRule] = {each.name: each for each in options.rules}
        kept = {} if former is None else former.rules_like(self._by_name)
        self._engine = Engine({name: kept.get(name) or assembly.rule(each) for name, each in self._by_name.items()})
        self._couriers = {each.name: self._courier(each) for each in options.named_targets()}
        self._woken: asyncio.Event | None = None
        self._faults = 0

    def rules_like(self, wanted: Mapping[str, AnyRule]) -> dict[str, Any]:
        """The rules that are the same in another configuration."""
        same = [name for name, options in wanted.items() if self._by_name.get(name) == options]
        return {name: self._engine.rules[name] for name in same}

    def _courier(self, options: Any) -> Courier:
        target = assembly.target(options, self._surroundings.jobs)
        return Courier(options, target, self._compose, self._tell, self._rhythm)

    # ---- the observer: in the dispatcher's slice ---------------------------------------------------------------

    def wants(self, level: int, log_type: str) -> bool:
        """Whether a rule looks at such entries."""
        return self._engine.wants(level, log_type)

    def look(self, entries: Iterable[Capture]) -> None:
        """Show them to the rules."""
        now = self._rhythm.clock()
        try:
            for entry in entries:
                if entry[SEQ] < RECOVERED_FROM and entry[LASTI] != OF_ANOTHER_RUN:
                    # the clock of the calendar may have been set since; what is not known happens now
                    self._engine.look(entry, min(now, entry[MONOTONIC_NS] / _NS or now))
        except Exception as error:  # noqa: BLE001 - it must not hold up the entries behind this one
            self._faults += 1
            self._surroundings.notices.say("alerts", f"{type(error).__name__}: {error}; please report this")
        if self._engine.has_said and self._woken is not None:
            self._woken.set()

    def take(self) -> list[Capture]:
        """It has nothing to add here: what it says is reported by its task."""
        return []

    # ---- the companion ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at statistics and time, and have the targets told, until cancelled."""
        current_fields.set(PIPELINE)
        self._take_over()
        self._woken = asyncio.Event()
        tasks = [OwnedTask(f"alerts-{name}", courier.run) for name, courier in self._couriers.items()]
        try:
            while True:
                self.tick()
                await self._rest()
        except GeneratorExit:  # its loop is no more
            for task in tasks:
                task.abandon()
            raise
        except BaseException:
            self._woken = None
            for task in tasks:
                task.cancel()
            await ended(tasks)
            raise

    async def finish(self, most_seconds: float) -> None:
        """Say what is left to say, and give the targets their chance to be told."""
        current_fields.set(PIPELINE)
        self._take_over()
        self.tick()
        await asyncio.gather(*[courier.finish(most_seconds) for courier in self._couriers.values()])

    def figures(self) -> AlertStats:
        """A snapshot."""
        targets = {name: courier.stats for name, courier in self._couriers.items()}
        return AlertStats(MappingProxyType(self._engine.stats()), MappingProxyType(targets), self._faults)

    def tick(self) -> None:
        """Look at statistics and time once."""
        if self._engine.rules:
            self._engine.tick(self._rhythm.clock(), self._surroundings.stats())
        self.announce()

    def announce(self) -> None:
        """Say what the rules have said: in the log, and to the targets."""
        for alert in self._engine.take():
            self._announce(alert)

    async def _rest(self) -> None:
        """Until the next tick; alerts in between are said at once."""
        woken, loop = self._woken, asyncio.get_running_loop()
        until = loop.time() + self._options.check_every if self._engine.rules else None
        while woken is not None:
            try:
                async with asyncio.timeout_at(until):
                    await woken.wait()
            except TimeoutError:
                return
            woken.clear()
            self.announce()

    def _take_over(self) -> None:
        """Go on where the former one was, which has ended."""
        former, self._former = self._former, None
        if former is None:
            return
        former._take_over()  # noqa: SLF001 - it may never have run
        for name, courier in self._couriers.items():
            if (other := former._couriers.get(name)) is not None:  # noqa: SLF001 - of this class
                courier.take_over(other)
        for alert in former.retired(self._engine):
            self._announce(alert)
        for name, courier in former._couriers.items():  # noqa: SLF001 - of this class
            if name not in self._couriers and courier.pending:
                told = f"alerts that waited for {name} are not sent, since the target was removed: {courier.pending}"
                self._tell(logging.WARNING, told, {"target": name, "outcome": "removed", "alerts": courier.pending})

    def retired(self, by: Engine) -> list[Alert]:
        """What is to be said of the rules that another engine has not taken over."""
        return self._engine.retire(by.rules, self._rhythm.clock())

    @property
    def targets(self) -> tuple[AnyTarget, ...]:
        """The targets it tells."""
        return self._options.targets

    # ---- saying it --------------------------------------------------------------------------------------------

    def _announce(self, alert: Alert) -> None:
        alert = _cleared(alert)
        word = self._word(alert)
        told = [name for name in self._couriers if alert.targets is None or name in alert.targets]
        level = logging.INFO if word.is_over else alert.severity.level
        self._tell(level, neutralised(headline(alert)), {**fields_of(word), "targets": told})
        for name in told:
            self._couriers[name].put(word)

    def _word(self, alert: Alert) -> Word:
        now, now_ns = self._rhythm.clock(), self._time_ns()
        return Word(alert, now_ns - round((now - alert.since) * _NS), now_ns - round((now - alert.at) * _NS))

    def _compose(self, words: tuple[Word, ...], rest: tuple[Word, ...], shed: int) -> Message:
        host = self._surroundings.identity.host
        return Message(service=self._service, host=host, words=words, rest=rest, shed=shed, at_ns=self._time_ns())

    def _tell(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        self._surroundings.report(own_entry(level, message, fields, logger=ALERTS_LOGGER, log_type=ALERT))


def _cleared(alert: Alert) -> Alert:
    """Without what looks like a secret, wherever it came from."""
    scrub = port.encoder.scrub
    group = tuple((name, scrub(value)) for name, value in alert.group)
    return replace(alert, text=scrub(alert.text), group=group)
