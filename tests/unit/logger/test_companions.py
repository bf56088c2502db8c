"""What runs beside the dispatcher: begun, begun anew, gone over to at a reload, and heard last of all at a stop."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.eventually import eventually

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, LoggingRuntime, get_logger
from metaexpert.logger import companions as module
from metaexpert.logger.companions import Companion, Surroundings
from metaexpert.logger.entry import LEVEL, MESSAGE, Capture
from metaexpert.logger.own_entries import own_entry

log = get_logger("companions")

type Start = Callable[..., LoggingRuntime]
type LinesOf = Callable[[LoggingRuntime], list[dict[str, Any]]]


@dataclass(eq=False)
class Fake:
    """Looks at warnings, and tells how often it was begun."""

    surroundings: Surroundings
    former: Companion | None
    begun: int = 0
    ended: int = 0
    faults: int = 0
    seen: list[str] = field(default_factory=list[str])
    unsaid: list[Capture] = field(default_factory=list[Capture])

    async def run(self) -> None:
        self.begun += 1
        if self.begun <= self.faults:
            raise RuntimeError("out of order")
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1

    async def finish(self, most_seconds: float) -> None:
        assert 0 < most_seconds <= 5
        assert self.ended == self.begun
        self.surroundings.report(own_entry(logging.INFO, f"last words after {len(self.seen)}", {}))

    def figures(self) -> int:
        return self.begun

    def wants(self, level: int, log_type: str) -> bool:
        return level == logging.WARNING and log_type == "general"

    def look(self, entries: Iterable[Capture]) -> None:
        for entry in entries:
            assert entry[LEVEL] == logging.WARNING
            self.seen.append(entry[MESSAGE])
            self.unsaid.append(own_entry(logging.INFO, f"saw {entry[MESSAGE]}", {"a": 1}))

    def take(self) -> list[Capture]:
        taken, self.unsaid = self.unsaid, []
        return taken


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    """Companions made; one is wanted while logging's name has a dash, and is made of that name."""
    all_made: list[Fake] = []

    def make(config: LoggerConfig, surroundings: Surroundings, former: Companion | None) -> Fake:
        if config.log_name == "no-way":
            raise ConfigError("log_name: no way")
        all_made.append(Fake(surroundings, former))
        return all_made[-1]

    def options(config: LoggerConfig) -> object:
        return config.log_name if "-" in config.log_name else None

    kind = module._Kind(options, make)  # pyright: ignore[reportPrivateUsage] - a kind for tests
    monkeypatch.setattr(module, "_KINDS", {"fake": kind})
    return all_made


def messages(lines: Iterable[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in lines]


def test_it_sees_what_it_wants_and_what_it_adds_follows(made: list[Fake], start: Start, lines_of: LinesOf):
    runtime = start(log_name="with-one")
    log.info("no")
    log.warning("yes")
    assert messages(lines_of(runtime)) == ["no", "yes", "saw yes"]
    assert [fake.seen for fake in made] == [["yes"]]
    assert runtime.stats().companions == {"fake": 1}


def test_what_is_not_wanted_is_not_made(made: list[Fake], start: Start, lines_of: LinesOf):
    runtime = start(log_name="without")
    log.warning("alone")
    assert messages(lines_of(runtime)) == ["alone"]
    assert made == []
    assert runtime.stats().companions == {}


def test_one_that_fails_is_begun_again(
    made: list[Fake], start: Start, runner: asyncio.Runner, capfd: pytest.CaptureFixture[str], lines_of: LinesOf
):
    runtime = start(log_name="with-one")
    (fake,) = made
    runner.run(eventually(lambda: fake.begun == 1))
    fake.faults = 2
    (task,) = [each for each in asyncio.all_tasks(runner.get_loop()) if each.get_name() == "metaexpert-companion-fake"]
    task.cancel()
    runner.run(eventually(lambda: fake.begun == 3))
    log.info("goes on")
    assert messages(lines_of(runtime)) == ["goes on"]
    assert "out of order" in capfd.readouterr().err


class TestReload:
    def test_the_same_options_keep_it(self, made: list[Fake], start: Start, runner: asyncio.Runner):
        runtime = start(log_name="with-one")
        runner.run(runtime.reload(runtime.config.model_copy(update={"log_level": "INFO"})))
        assert len(made) == 1
        assert made[0].ended == 0

    def test_others_make_another_which_may_take_over(self, made: list[Fake], start: Start, runner: asyncio.Runner):
        runtime = start(log_name="with-one")
        runner.run(eventually(lambda: made[0].begun == 1))
        runner.run(runtime.reload(runtime.config.model_copy(update={"log_name": "with-another"})))
        runner.run(eventually(lambda: made[1].begun == 1))
        assert made[1].former is made[0]
        assert made[0].ended == 1
        log.warning("to the new one")
        runner.run(runtime.flush())
        assert [fake.seen for fake in made] == [[], ["to the new one"]]

    def test_one_that_cannot_be_made_changes_nothing(
        self, made: list[Fake], start: Start, runner: asyncio.Runner, lines_of: LinesOf
    ):
        runtime = start(log_name="with-one")
        with pytest.raises(ConfigError, match="no way"):
            runner.run(runtime.reload(runtime.config.model_copy(update={"log_name": "no-way"})))
        log.warning("still")
        assert messages(lines_of(runtime)) == ["still", "saw still"]
        assert len(made) == 1


def test_at_a_stop_it_is_heard_when_it_has_seen_all(made: list[Fake], start: Start, runner: asyncio.Runner):
    runtime = start(log_name="with-one")
    sink: Any = runtime.sinks["memory"]
    runner.run(asyncio.sleep(0))
    log.warning("the last")
    runner.run(runtime.stop())
    assert [fake.seen for fake in made] == [["the last"]]
    assert [entry["message"] for entry in sink.entries][-1] == "last words after 1"
    assert sum("last words" in entry["message"] for entry in sink.entries) == 1
