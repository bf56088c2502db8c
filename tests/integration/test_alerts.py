"""Alerts of a running logger: from the log call to a real webhook or mailbox, and never in the way."""

import asyncio
import time
from typing import Any

import orjson
import pytest
from support.eventually import eventually
from support.mail_server import MailServer, serving_mail
from support.running_logger import logging_to, unbalanced
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.logger import AlertStats, LoggerConfig, LoggingRuntime, MemorySink, SinkState, get_logger
from metaexpert.logger.alerts import courier

log = get_logger("desk")
ERRORS = {"type": "entry", "name": "errors", "group_by": ["symbol"], "resolve_after": 3600}


def alerts(*rules: Any, targets: Any = (), **more: Any) -> dict[str, Any]:
    return {"rules": rules, "targets": targets, "check_every": 0.05, **more}


def webhook(collector: ScriptedCollector, **options: Any) -> dict[str, Any]:
    return {
        "type": "webhook", "name": "hook", "url": f"{collector.url}/s3cr3t-path", "group_for": 0.0, "timeout": 5,
        "backoff_first": 0.01, "backoff_max": 0.01, **options,
    }  # fmt: skip


def received(collector: ScriptedCollector) -> list[tuple[str, str]]:
    """State and rule of every alert that came."""
    bodies = [orjson.loads(request.body) for request in collector.requests]
    return [(alert["state"], alert["rule"]) for body in bodies for alert in body["alerts"]]


def stats(runtime: LoggingRuntime) -> AlertStats:
    found = runtime.stats().alerts
    assert found is not None
    return found


async def entries(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    """The entries of log type "alert" there are in the memory sink."""
    await runtime.flush(timeout=5.0)
    sink = runtime.sinks["memory"]
    assert isinstance(sink, MemorySink)
    return [entry for entry in sink.entries if entry["log_type"] == "alert"]


async def test_an_alert_and_its_resolution_reach_webhook_mailbox_and_log():
    rule = {
        "type": "threshold", "name": "margin", "field": "margin_ratio", "above": 0.8, "resolve_at": 0.6,
        "group_by": ["symbol"], "severity": "critical", "note": "reduce the position",
    }  # fmt: skip
    async with serving(ScriptedCollector(status(200))) as hook, serving_mail(MailServer()) as mail:
        mailbox = {
            "type": "email", "host": "127.0.0.1", "port": mail.port, "security": "none", "sender": "bot@desk.example",
            "recipients": ["desk@desk.example"], "group_for": 0.0,
        }  # fmt: skip
        config = {"alerts": alerts(rule, targets=[webhook(hook), mailbox])}
        async with logging_to({"type": "memory"}, **config) as runtime:
            log.info("margin", symbol="BTCUSDT", margin_ratio=0.85)
            await eventually(lambda: hook.requests and mail.mails)
            log.info("margin", symbol="BTCUSDT", margin_ratio=0.55)
            await eventually(lambda: len(hook.requests) == len(mail.mails) == 2)
            await eventually(lambda: all(each.delivered == 2 for each in stats(runtime).targets.values()))
            written = await entries(runtime)
            figures = stats(runtime)
    assert received(hook) == [("firing", "margin"), ("resolved", "margin")]
    assert [each.content["Subject"] for each in mail.mails] == [
        "[FIRING] tests: margin (symbol=BTCUSDT)",
        "[RESOLVED] tests: margin (symbol=BTCUSDT)",
    ]
    assert "reduce the position" in mail.mails[0].body
    fired, over = [entry for entry in written if "rule" in entry["extra"]]
    assert (fired["level"], over["level"]) == ("CRITICAL", "INFO")
    assert fired["extra"]["targets"] == ["hook", "email"]
    assert (fired["extra"]["value"], fired["extra"]["limit"], over["extra"]["count"]) == (0.85, 0.8, 1)
    assert {entry["extra"]["target"] for entry in written if entry["extra"].get("outcome") == "delivered"} == {
        "hook",
        "email",
    }
    assert (figures.rules["margin"].fired, figures.rules["margin"].resolved, figures.faults) == (1, 1, 0)


async def test_a_target_that_is_down_is_in_nobodys_way_and_is_told_when_it_is_back():
    collector = ScriptedCollector(status(500, "down"))
    async with serving(collector) as hook:
        limits = {"max_pending": 3, "max_alerts": 2}
        async with logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[webhook(hook, **limits)])) as runtime:
            for number in range(6):
                log.error("boom %d", number, symbol=f"S{number}")
            await eventually(lambda: stats(runtime).targets["hook"].attempts > 10)
            assert stats(runtime).targets["hook"].state is SinkState.FAILED
            assert stats(runtime).rules["errors"].fired == 6  # and none about what the failures themselves say
            assert stats(runtime).targets["hook"].pending == 3
            collector.default = status(200)
            await eventually(lambda: stats(runtime).targets["hook"].pending == 0)
            figures = stats(runtime).targets["hook"]
            outcomes = [entry["extra"].get("outcome") for entry in await entries(runtime)]
            assert not unbalanced(runtime)
        assert (figures.delivered, figures.shed) == (3, 3)
        body = orjson.loads(hook.requests[-1].body)
        assert (len(body["alerts"]), sum(body["more"].values()), body["shed"]) == (2, 1, 3)
        assert "and 1 more: errors 1\n3 older alerts gave way" in body["text"]
        assert [outcome for outcome in outcomes if outcome] == ["failed", "delivered"]


async def test_a_hanging_target_holds_up_neither_logging_nor_the_other_targets():
    collector, other = ScriptedCollector(status(200)), ScriptedCollector(status(200))
    collector.default = collector.hang
    async with serving(collector) as slow, serving(other) as quick:
        targets = [webhook(slow, name="slow", timeout=60), webhook(quick, name="quick")]
        async with logging_to(
            {"type": "memory"}, alerts=alerts(ERRORS, targets=targets), shutdown_timeout=0.2
        ) as runtime:
            log.error("boom", symbol="A")
            await eventually(lambda: slow.requests and received(quick))
            log.error("boom", symbol="B")
            assert await runtime.flush(timeout=5.0)
            await eventually(lambda: len(received(quick)) == 2)
            assert stats(runtime).targets["slow"].delivered == 0


async def test_what_is_said_in_the_last_moment_still_goes_out():
    async with serving(ScriptedCollector(status(200))) as hook:
        collector = webhook(hook, group_for=3600.0)
        async with logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[collector])) as runtime:
            log.error("boom", symbol="A")
        assert received(hook) == [("firing", "errors")]
        assert stats(runtime).targets["hook"].delivered == 1


async def test_what_is_under_way_at_the_stop_is_not_sent_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(courier, "_HOLD_SECONDS", 30.0)  # however slow the machine is
    collector = ScriptedCollector(status(200))
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def slowly(request: Any, got: Any) -> Any:
        arrived.set()
        await answer.wait()
        return await status(200)(request, got)

    collector.default = slowly
    async with serving(collector) as hook:
        async with logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[webhook(hook)])) as runtime:
            log.error("boom", symbol="A")
            await arrived.wait()
            asyncio.get_running_loop().call_later(0.02, answer.set)
        assert received(hook) == [("firing", "errors")]
        assert stats(runtime).targets["hook"].delivered == 1


async def test_a_sink_that_hangs_at_the_stop_leaves_the_alerts_their_time():
    collector = ScriptedCollector(status(200))
    collector.default = collector.hang
    async with serving(collector) as stuck, serving(ScriptedCollector(status(200))) as hook:
        loki = {"type": "loki", "url": stuck.url, "batch_max_age": 0.01, "spool": {"enabled": False}}
        target = webhook(hook, group_for=3600.0)
        async with logging_to(loki, alerts=alerts(ERRORS, targets=[target]), shutdown_timeout=0.5):
            log.error("boom", symbol="A")
        assert received(hook) == [("firing", "errors")]


async def test_alerts_about_a_sink_that_is_down_go_through_other_ways():
    rule = {"type": "sink_down", "name": "down", "sinks": ["loki"], "for_at_least": 0}
    async with serving(ScriptedCollector(status(503, "no"))) as loki, serving(ScriptedCollector(status(200))) as hook:
        sink = {
            "type": "loki", "url": loki.url, "batch_max_age": 0.01, "backoff_first": 0.01, "backoff_max": 0.01,
        }  # fmt: skip
        async with logging_to(sink, alerts=alerts(rule, targets=[webhook(hook)])):
            log.info("one")
            await eventually(lambda: received(hook)[:1] == [("firing", "down")])
            loki.default = status(204)
            await eventually(lambda: received(hook)[-1:] == [("resolved", "down")])
    first = orjson.loads(hook.requests[0].body)["alerts"][0]
    assert first["group"] == {"sink": "loki"}
    assert "HTTP 503" in first["text"]


async def test_dropped_entries_and_silence_are_alerts():
    rules = (
        {"type": "drops", "name": "drops"},
        {"type": "silence", "name": "heartbeat", "within": 0.1, "messages": ["^heartbeat$"]},
    )
    async with serving(ScriptedCollector(status(200))) as hook:
        sink = {"type": "memory", "queue": {"max_entries": 16}}
        async with logging_to(sink, alerts=alerts(*rules, targets=[webhook(hook)])) as runtime:
            await eventually(lambda: ("firing", "heartbeat") in received(hook))
            log.debug("heartbeat")
            await eventually(lambda: ("resolved", "heartbeat") in received(hook))
            for _ in range(5000):
                log.debug("a burst that does not fit")
            await eventually(lambda: ("firing", "drops") in received(hook))
            assert runtime.stats().ingress.dropped or runtime.stats().sinks["memory"].ledger.dropped_total


async def test_secrets_are_in_no_alert():
    async with serving(ScriptedCollector(status(200))) as hook:
        rule = {**ERRORS, "group_by": ["api_key", "url"]}
        async with logging_to({"type": "memory"}, alerts=alerts(rule, targets=[webhook(hook)])) as runtime:
            log.error(
                "refused: api_key=s3cr3tvalue1234 by desk", api_key="s3cr3tvalue1234", url="https://u:s3cr3t@host/x"
            )
            await eventually(lambda: hook.requests)
            written = await entries(runtime)
    assert b"s3cr3t" not in hook.requests[0].body
    assert b"refused: api_key=[REDACTED] by desk" in hook.requests[0].body
    assert "s3cr3t" not in repr(written)


async def reloaded(runtime: LoggingRuntime, config: dict[str, Any]) -> None:
    now = runtime.config
    await runtime.reload(LoggerConfig(**{**{name: getattr(now, name) for name in now.model_fields_set}, **config}))


async def test_a_reload_keeps_the_state_of_rules_that_stay_and_ends_those_that_go():
    async with serving(ScriptedCollector(status(200))) as hook, serving(ScriptedCollector(status(200))) as other:
        leaving = {**ERRORS, "name": "leaving"}
        config = alerts(ERRORS, leaving, targets=[webhook(hook)])
        async with logging_to({"type": "memory"}, alerts=config) as runtime:
            log.error("boom", symbol="A")
            await eventually(lambda: stats(runtime).targets["hook"].delivered == 2)
            await reloaded(runtime, {"alerts": alerts(ERRORS, targets=[webhook(other)])})
            log.error("boom", symbol="A")  # it fires already
            log.error("boom", symbol="B")
            await eventually(lambda: ("firing", "errors") in received(other))
            await eventually(lambda: ("resolved", "leaving") in received(other))
            assert stats(runtime).rules["errors"].fired == 2
            assert stats(runtime).rules["errors"].suppressed == 1
    assert ("resolved", "leaving") not in received(hook)
    assert received(other).count(("firing", "errors")) == 1


async def test_what_waits_for_a_target_is_kept_over_a_reload():
    collector = ScriptedCollector(status(500))
    async with (
        serving(collector) as hook,
        logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[webhook(hook)])) as runtime,
    ):
        log.error("boom", symbol="A")
        await eventually(lambda: stats(runtime).targets["hook"].attempts > 1)
        collector.default = status(200)
        await reloaded(runtime, {"alerts": alerts(ERRORS, targets=[webhook(hook, timeout=6)])})
        await eventually(lambda: stats(runtime).targets["hook"].delivered == 1)
        assert stats(runtime).rules["errors"].fired == 1


@pytest.mark.parametrize("keeps_targets", [True, False])
async def test_a_reload_that_removes_all_rules_says_that_they_were_and_sends_what_waits(keeps_targets: bool):
    collector = ScriptedCollector(status(500))
    async with (
        serving(collector) as hook,
        logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[webhook(hook)])) as runtime,
    ):
        log.error("boom", symbol="A")
        await eventually(lambda: stats(runtime).targets["hook"].attempts > 1)
        await reloaded(runtime, {"alerts": {"targets": [webhook(hook)] if keeps_targets else []}})
        await eventually(lambda: stats(runtime).targets["hook"].attempts > 3)
        collector.default = status(200)
        await eventually(lambda: stats(runtime).targets["hook"].delivered == 1)
        assert not stats(runtime).rules
        log.error("boom", symbol="B")
        await reloaded(runtime, {"alerts": alerts(ERRORS, targets=[webhook(hook)]), "log_level": "DEBUG"})
        log.error("boom", symbol="A")
        await eventually(lambda: ("firing", "errors") in received(hook)[-1:])
        said = [
            (entry["extra"]["state"], entry["message"]) for entry in await entries(runtime) if "state" in entry["extra"]
        ]
    assert [state for state, _ in said[:3]] == ["firing", "resolved", "firing"]
    assert "the rule was removed" in said[1][1]


async def test_a_reload_that_removes_a_target_says_what_it_is_not_told():
    async with (
        serving(ScriptedCollector(status(500))) as hook,
        logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[webhook(hook)])) as runtime,
    ):
        log.error("boom", symbol="A")
        await eventually(lambda: stats(runtime).targets["hook"].attempts > 1)
        await reloaded(runtime, {"alerts": alerts(ERRORS)})
        await eventually(lambda: not stats(runtime).targets)
        (told,) = [entry for entry in await entries(runtime) if entry["extra"].get("outcome") == "removed"]
    assert told["level"] == "WARNING"
    assert (told["extra"]["target"], told["extra"]["alerts"]) == ("hook", 1)


async def test_entries_have_the_times_of_their_calls_whatever_the_calendars_clock_is_set_to(
    monkeypatch: pytest.MonkeyPatch,
):
    """An hour back and an hour ahead, neither of which lets time go by for a rule."""
    rule = {"type": "rate", "name": "many", "count": 3, "within": 600}
    async with logging_to({"type": "memory"}, alerts=alerts(rule)) as runtime:
        now = time.time_ns
        for hours in (0, -1, 1):
            monkeypatch.setattr(time, "time_ns", lambda hours=hours: now() + hours * 3_600_000_000_000)
            log.error("boom")
            await runtime.flush()
        await eventually(lambda: stats(runtime).rules["many"].fired == 1)
        assert stats(runtime).rules["many"].state == "firing"


async def test_without_rules_nothing_runs_and_nothing_is_imported():
    async with logging_to({"type": "memory"}, alerts={"targets": [{"type": "console"}]}) as runtime:
        log.error("boom")
        assert runtime.stats().alerts is None


def test_alerts_outlive_the_loop_they_began_on():
    console = {"type": "console", "bell": False, "group_for": 0.0}
    runtime = logging_to({"type": "memory"}, alerts=alerts(ERRORS, targets=[console]))

    async def begin() -> None:
        await runtime.start()
        log.error("boom", symbol="A")
        await eventually(lambda: stats(runtime).targets["console"].delivered == 1)

    async def go_on() -> None:
        log.error("boom", symbol="A")
        log.error("boom", symbol="B")
        await eventually(lambda: stats(runtime).targets["console"].delivered == 2)
        await runtime.stop()

    asyncio.run(begin())
    asyncio.run(go_on())
    assert stats(runtime).rules["errors"].suppressed == 1
