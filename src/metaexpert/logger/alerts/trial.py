"""Sends a test alert to targets, without a pipeline: what `metaexpert alerts test` does."""

import asyncio
import time
from collections.abc import Iterable

from metaexpert.logger.alerts import assembly
from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.message import Message, Word
from metaexpert.logger.alerts.targets.base import Sent
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.options.alert_rules import AnyRule
from metaexpert.logger.options.alert_targets import AnyTarget
from metaexpert.logger.outcome import Retry


def trial_message(service: str, rule: AnyRule | None) -> Message:
    """An alert about nothing: of a rule, with its severity and note, or of none."""
    now_ns = time.time_ns()
    alert = Alert(
        rule="test" if rule is None else rule.name,
        severity=Severity.INFO if rule is None else Severity(rule.severity),
        state=AlertState.FIRING,
        group=(),
        text="a test of alerts; nothing is the matter",
        count=0,
        since=0.0,
        at=0.0,
        note="" if rule is None else rule.note,
    )
    words = (Word(alert, now_ns, now_ns),)
    return Message(service=service, host=Identity(service=service).host, words=words, at_ns=now_ns, is_test=True)


async def answers(targets: Iterable[AnyTarget], message: Message) -> dict[str, Sent]:
    """What each target made of it, by name; all are asked at once, each within its own timeout."""
    named = list(targets)
    found = await asyncio.gather(*[_answer(each, message) for each in named])
    return {each.name: sent for each, sent in zip(named, found, strict=True)}


async def _answer(options: AnyTarget, message: Message) -> Sent:
    target = assembly.target(options, Jobs())
    try:
        async with asyncio.timeout(options.timeout):
            return await target.send(message)
    except TimeoutError:
        return Retry(f"no answer within {options.timeout:g} s")
    finally:
        await target.close()
