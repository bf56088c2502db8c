"""Shows the demo while it runs: a live table on a terminal, plain lines elsewhere."""

import asyncio
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from metaexpert.core import MetaExpert
from metaexpert.demo.director import Director
from metaexpert.demo.lag import LagMeter
from metaexpert.demo.status import Rates, Status
from metaexpert.demo.strategy import EmaCross
from metaexpert.demo.table import status_line, status_table

_LIVE_SECONDS = 0.5
_PLAIN_SECONDS = 1.0


class Observer:
    """Takes a status of everything that runs; time counts from its making."""

    def __init__(self, expert: MetaExpert, strategy: EmaCross, director: Director) -> None:
        self._expert = expert
        self._strategy = strategy
        self._director = director
        self._rates = Rates()
        self._started_at = time.monotonic()
        self.lag = LagMeter()

    def status(self) -> Status:
        """The status now."""
        elapsed_seconds = time.monotonic() - self._started_at
        stats = self._expert.logging.stats()
        counts = {name: sink.ledger.delivered for name, sink in stats.sinks.items()}
        rates = self._rates.per_second(elapsed_seconds, {"": stats.ingress.accepted, **counts})
        return Status(
            elapsed_seconds=elapsed_seconds,
            phase=self._director.phase,
            expert=self._expert.stats(),
            orders=self._strategy.broker.counts.total(),
            logging=stats,
            logged_per_second=rates[""],
            delivered_per_second=rates,
            lag=self.lag.take(),
        )


async def show(observer: Observer, console: Console, *, live: bool) -> None:
    """Draw until cancelled; drawing itself is kept out of the lag it shows."""
    if not live:
        await _repeat(observer, lambda status: console.out(status_line(status)), _PLAIN_SECONDS)
        return
    with Live(status_table(observer.status()), console=console, auto_refresh=False) as display:
        await _repeat(observer, lambda status: display.update(status_table(status), refresh=True), _LIVE_SECONDS)


async def _repeat(observer: Observer, draw: Callable[[Status], None], interval_seconds: float) -> None:
    while True:
        await asyncio.sleep(interval_seconds)
        draw(observer.status())
        observer.lag.skip_beat()
