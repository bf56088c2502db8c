"""What runs beside the dispatcher and makes entries of its own: which there are, their lives over loops and reloads.

A companion is made when its options ask for it, and imported only then.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, final

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.entry import Capture
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.notices import Notices
from metaexpert.logger.observer import Observer
from metaexpert.logger.stats import RuntimeStats
from metaexpert.logger.trade.watch import TradeWatch


class Companion(Protocol):
    """Runs on the pipeline's loop; one that is an `Observer` too is shown entries on their way."""

    async def run(self) -> None:
        """Work until cancelled; begun anew on another loop, so that nothing of a loop is kept between runs."""
        ...

    async def finish(self, most_seconds: float) -> None:
        """Logging stops: say and send what must not wait, within `most_seconds`; `run` was cancelled before."""
        ...

    def figures(self) -> object:
        """An immutable snapshot for `RuntimeStats.companions`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a companion is given.

    Attributes:
        report: the way into the pipeline, from any thread.
        stats: a snapshot of the runtime.
        notices: where trouble is told that no entry can tell.
        identity: the process that writes.
        jobs: the executor jobs under way.
    """

    report: Callable[[Capture], None]
    stats: Callable[[], RuntimeStats]
    notices: Notices
    identity: Identity
    jobs: Jobs


_LEFT: Final = object()
"""In place of options: of one that is there to end what was begun."""

_AGAIN_SECONDS: Final = 0.5
"""After a fault of its own one is begun again."""

type Make = Callable[[LoggerConfig, Surroundings, Companion | None], Companion]
"""Makes a companion, which may take over what the former one knows; does no I/O, and changes nothing of the former."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A companion there can be: the options it is made of (falsy when it is not wanted), and how it is made.

    `leave` makes what stays when it is not wanted any longer: it ends what the former one has begun.
    """

    options: Callable[[LoggerConfig], object]
    make: Make
    leave: Callable[[LoggerConfig, Surroundings, Companion], Companion] | None = None


def _error_summaries(_config: LoggerConfig, surroundings: Surroundings, _former: Companion | None) -> Companion:
    from metaexpert.logger.faults.summaries import ErrorSummaries  # noqa: PLC0415 - imported where it is wanted

    return ErrorSummaries(surroundings.report)


def _alerts(config: LoggerConfig, surroundings: Surroundings, former: Companion | None) -> Companion:
    from metaexpert.logger.alerts.watch import AlertWatch  # noqa: PLC0415 - imported where it is wanted

    known = former if isinstance(former, AlertWatch) else None
    return AlertWatch(config.alerts, config.log_name, surroundings, known)


def _last_alerts(config: LoggerConfig, surroundings: Surroundings, former: Companion) -> Companion:
    """Targets without rules: they are told what waits for them, and that what was firing does so no longer."""
    from metaexpert.logger.alerts.watch import AlertWatch  # noqa: PLC0415 - imported where it is wanted
    from metaexpert.logger.options.alerts import AlertsOptions  # noqa: PLC0415 - as above

    known = former if isinstance(former, AlertWatch) else None
    targets = config.alerts.targets or (() if known is None else known.targets)
    return AlertWatch(AlertsOptions(targets=targets), config.log_name, surroundings, known)


def _sampler(config: LoggerConfig, surroundings: Surroundings, former: Companion | None) -> Companion:
    from metaexpert.logger.measuring.sampler import Sampler  # noqa: PLC0415 - imported where it is wanted

    return Sampler(config.performance, surroundings, former=former if isinstance(former, Sampler) else None)


def _metrics(config: LoggerConfig, surroundings: Surroundings, _former: Companion | None) -> Companion:
    from metaexpert.logger.measuring.endpoint import MetricsEndpoint  # noqa: PLC0415 - imported where it is wanted

    return MetricsEndpoint(config.performance.metrics_host, config.performance.metrics_port or 0, surroundings)


def _wanted_metrics(config: LoggerConfig) -> object:
    performance = config.performance
    return None if performance.metrics_port is None else (performance.metrics_host, performance.metrics_port)


def _clock(config: LoggerConfig, surroundings: Surroundings, former: Companion | None) -> Companion:
    from metaexpert.logger.clock.keeper import ClockKeeper  # noqa: PLC0415 - imported where it is wanted

    return ClockKeeper(config.clock, surroundings, former=former if isinstance(former, ClockKeeper) else None)


_KINDS: dict[str, _Kind] = {
    "alerts": _Kind(
        lambda config: (config.alerts, config.log_name) if config.alerts.rules else None, _alerts, _last_alerts
    ),
    "errors": _Kind(lambda config: config.errors.group, _error_summaries),
    "performance": _Kind(lambda config: config.performance if config.performance.enabled else None, _sampler),
    "clock": _Kind(lambda config: config.clock if config.clock.enabled else None, _clock),
    "metrics": _Kind(_wanted_metrics, _metrics),
}
"""By name, which is also that of its task and of its figures."""


@dataclass(frozen=True, slots=True)
class _Made:
    options: object
    companion: Companion


@dataclass(frozen=True, slots=True)
class Plan:
    """The companions of another configuration, made but not yet in use."""

    made: Mapping[str, _Made]
    checks_trades: bool


@final
class Companions:
    """Those of one pipeline.

    Args:
        config: which are wanted.
        surroundings: what they are given.
    """

    def __init__(self, config: LoggerConfig, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._trade_watch = TradeWatch(surroundings.notices, surroundings.identity.boot_id)
        self._finished: set[str] = set()
        self._now = Plan({}, checks_trades=False)
        self._now = self.plan(config)

    def plan(self, config: LoggerConfig) -> Plan:
        """Make those that `config` wants otherwise than they are now; nothing changes yet.

        Raises:
            ConfigError: one cannot be made.
        """
        wanted = {name: options for name, kind in _KINDS.items() if (options := kind.options(config))}
        made = {name: self._kept_or_made(name, options, config) for name, options in wanted.items()}
        made |= {
            name: self._left(name, each, config) for name, each in self._now.made.items() if self._stays(name, made)
        }
        return Plan(made, config.check_trades)

    def _stays(self, name: str, made: Mapping[str, _Made]) -> bool:
        return name not in made and _KINDS[name].leave is not None

    def _left(self, name: str, former: _Made, config: LoggerConfig) -> _Made:
        leave = _KINDS[name].leave
        if leave is None or former.options is _LEFT:
            return former
        return _Made(_LEFT, leave(config, self._surroundings, former.companion))

    def _kept_or_made(self, name: str, options: object, config: LoggerConfig) -> _Made:
        former = self._now.made.get(name)
        if former is not None and former.options == options:
            return former
        companion = _KINDS[name].make(config, self._surroundings, former and former.companion)
        return _Made(options, companion)

    def adopt(self, plan: Plan) -> list[str]:
        """Go over to what was planned; names of the tasks that have to end."""
        before, self._now = self._now, plan
        return [_task(name) for name, each in before.made.items() if plan.made.get(name) is not each]

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who looks at entries on their way."""
        watching = (self._trade_watch,) if self._now.checks_trades else ()
        return (*watching, *[each for each in self._companions if isinstance(each, Observer)])

    @property
    def _companions(self) -> list[Companion]:
        return [each.companion for each in self._now.made.values()]

    @property
    def runs(self) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What to run, by the name of its task."""
        return {_task(name): partial(self._run, name, each.companion) for name, each in self._now.made.items()}

    async def finish(self, most_seconds: float) -> None:
        """Let each of them, once, say its last; all at the same time, within `most_seconds`."""
        unfinished = {name: each for name, each in self._now.made.items() if name not in self._finished}
        self._finished |= unfinished.keys()
        await asyncio.gather(*[self._finish(name, each, most_seconds) for name, each in unfinished.items()])

    async def _finish(self, name: str, made: _Made, most_seconds: float) -> None:
        try:
            async with asyncio.timeout(most_seconds):
                await made.companion.finish(most_seconds)
        except TimeoutError:
            self._surroundings.notices.say(name, "what it had to say last was not said in time")
        except Exception as error:  # noqa: BLE001 - one that fails holds up neither the others nor the stop
            self._say(name, error)

    async def _run(self, name: str, companion: Companion) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await companion.run()
            except Exception as error:  # noqa: BLE001 - one that fails holds up nothing else
                if loop.is_closed():
                    return  # under it: what is left of it ends here, and it begins anew on another loop
                self._say(name, error)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _say(self, name: str, error: Exception) -> None:
        self._surroundings.notices.say(name, f"{type(error).__name__}: {error}; please report this")

    def figures(self) -> Mapping[str, object]:
        """Their snapshots, by name."""
        return {name: each.companion.figures() for name, each in self._now.made.items()}


def _task(name: str) -> str:
    return f"companion-{name}"
