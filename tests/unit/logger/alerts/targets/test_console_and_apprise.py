"""The terminal's bell, and the services that apprise knows: here its own generic JSON one, to a real server."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.alerting import message_of
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.exceptions import ConfigError
from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.message import Message, Word
from metaexpert.logger.alerts.target_check import target_errors
from metaexpert.logger.alerts.targets import apprise as apprise_target
from metaexpert.logger.alerts.targets.apprise import AppriseTarget, notifier
from metaexpert.logger.alerts.targets.base import Blocking, Sent, Unsure
from metaexpert.logger.alerts.targets.console import ConsoleTarget
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.options.alert_targets import AppriseTargetOptions, ConsoleTargetOptions
from metaexpert.logger.outcome import Delivered, Rejected, Retry

# apprise asks for it where PGP could be had
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def message(state: AlertState = AlertState.FIRING) -> Message:
    alert = Alert(
        rule="margin", severity=Severity.CRITICAL, state=state, group=(), text="low", count=1, since=0.0, at=0.0
    )
    return message_of(Word(alert, 0, 0))


async def on_console(told: Message, **options: Any) -> Sent:
    target = ConsoleTarget(ConsoleTargetOptions(name="console", **options), Worker(Jobs(), "console"))
    try:
        return await target.send(told)
    finally:
        await target.close()


async def test_the_bell_rings_for_what_fires_and_not_for_what_is_over(capsys: pytest.CaptureFixture[str]):
    for state in (AlertState.FIRING, AlertState.RESOLVED):
        assert await on_console(message(state)) == Delivered()
    assert await on_console(message(), bell=False) == Delivered()
    fired, since, over, silent, _ = capsys.readouterr().err.splitlines()
    assert fired == "\aALERT desk: FIRING critical margin: low"
    assert since == "  since 1970-01-01T00:00:00Z, seen once"
    assert over == "ALERT desk: RESOLVED critical margin: low; lasted 0.0 s, seen once"
    assert silent == "ALERT desk: FIRING critical margin: low"


async def test_a_closed_stderr_is_a_failure_and_no_exception(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stderr", None)
    assert isinstance(await on_console(message()), Retry)


async def by_apprise(**options: Any) -> Sent:
    target = AppriseTarget(AppriseTargetOptions(name="apprise", **options), Worker(Jobs(), "apprise"))
    try:
        return await target.send(message())
    finally:
        await target.close()


async def test_apprise_brings_it_and_says_whether_it_was_taken(tmp_path: Path):
    file = tmp_path / "address"
    async with serving(ScriptedCollector(status(200))) as hook:
        address = hook.url.replace("http://", "json://") + "/s3cr3t"
        file.write_text(f"{address}\n")
        assert await by_apprise(url=address) == Delivered()
        assert await by_apprise(url_file=file) == Delivered()
        hook.then(status(500, "no"))
        failed = await by_apprise(url=address)
    body = orjson.loads(hook.requests[0].body)
    assert (body["title"], body["type"]) == ("[FIRING] desk: margin", "failure")
    assert body["message"].startswith("FIRING critical margin: low")
    assert isinstance(failed, Retry)
    assert "s3cr3t" not in failed.reason


async def test_an_address_apprise_does_not_know_waits_for_an_operator_and_is_not_shown(tmp_path: Path):
    failed = await by_apprise(url="s3cr3t://x")
    missing = await by_apprise(url_file=tmp_path / "none")
    assert isinstance(failed, Retry)
    assert isinstance(missing, Retry)
    assert failed.pause
    assert missing.pause
    assert "s3cr3t" not in failed.reason
    (error,) = target_errors(AppriseTargetOptions(url="s3cr3t://x"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert error == failed.reason


async def test_what_a_plugin_raises_is_told_by_its_kind_alone(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        def notify(self, **_: object) -> bool:
            raise ValueError("tgram://s3cr3t")

    monkeypatch.setattr(apprise_target, "notifier", lambda _: Broken())
    assert await by_apprise(url="json://localhost") == Retry("apprise failed: ValueError")


def test_apprise_that_is_not_installed_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"metaexpert\[alerts\]"):
        notifier("json://localhost")


async def test_attempts_that_hang_do_not_pile_up():
    release, begun = threading.Event(), threading.Event()

    def hang() -> Sent:
        begun.set()
        release.wait()
        return Delivered()

    blocking = Blocking(Worker(Jobs(), "hangs"))
    one, other = message_of(), message_of()
    first = asyncio.create_task(blocking.run(one, hang))
    await asyncio.to_thread(begun.wait)
    assert await blocking.run(one, hang) == Unsure("an earlier attempt still hangs")
    assert await blocking.run(other, hang) == Retry("an earlier attempt still hangs")
    release.set()
    assert await first == Delivered()
    assert await blocking.run(other, Delivered) == Delivered()
    blocking.close()


@pytest.mark.parametrize("late", [Delivered(), Rejected(554, "no"), Retry("down")])
async def test_what_became_of_an_attempt_nobody_waited_for_is_the_answer_to_the_same_message(late: Sent):
    release, begun, calls = threading.Event(), threading.Event(), 0

    def slow() -> Sent:
        nonlocal calls
        calls += 1
        begun.set()
        release.wait()
        return late

    blocking, message = Blocking(Worker(Jobs(), "slow")), message_of()
    first = asyncio.create_task(blocking.run(message, slow))
    await asyncio.to_thread(begun.wait)
    first.cancel()
    await asyncio.wait([first])
    release.set()
    answers: list[Sent] = []
    while not answers or isinstance(answers[-1], Unsure):
        await asyncio.sleep(0)
        answers.append(await blocking.run(message, slow))
    assert answers[-1] == late
    assert calls == (2 if isinstance(late, Retry) else 1)
    blocking.close()


async def test_what_became_of_another_message_is_no_answer():
    release, begun = threading.Event(), threading.Event()

    def slow() -> Sent:
        begun.set()
        release.wait()
        return Rejected(554, "no")

    blocking = Blocking(Worker(Jobs(), "slow"))
    first = asyncio.create_task(blocking.run(message_of(), slow))
    await asyncio.to_thread(begun.wait)
    first.cancel()
    await asyncio.wait([first])
    release.set()
    answer: Sent = Retry("")
    while isinstance(answer, Retry):
        await asyncio.sleep(0)
        answer = await blocking.run(message_of(), Delivered)
    assert answer == Delivered()
    blocking.close()
