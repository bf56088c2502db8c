"""`metaexpert alerts test`: tells targets that nothing is the matter, and says what each answered."""

from typing import TYPE_CHECKING, Annotated

import typer

from metaexpert.cli.declared import Option
from metaexpert.cli.for_typer import SETTINGS, command_of
from metaexpert.cli.logs_operations import DONE, FAULT, LEFT, loaded, safe_output, tell
from metaexpert.cli.options import ConfigFile

if TYPE_CHECKING:
    from metaexpert.logger.alerts.targets.base import Sent
    from metaexpert.logger.options.alert_rules import AnyRule
    from metaexpert.logger.options.alert_targets import AnyTarget
    from metaexpert.logger.options.alerts import AlertsOptions

alerts = typer.Typer(name="alerts", help="Try out the targets of alerts.", no_args_is_help=True, **SETTINGS)


@alerts.callback()
def _group() -> None:
    """Try out the targets of alerts."""


@command_of(alerts, "test")
def send_test(
    *,
    rule: Annotated[str | None, Option(("--rule",), "Tell the targets of this rule, as it would.")] = None,
    target: Annotated[str | None, Option(("--target",), "Tell this target alone.")] = None,
    file: ConfigFile = None,
) -> None:
    """Send a test alert to the targets of the configuration, and say what each answered.

    Ends with status 3 where one did not take it, and 1 where the configuration cannot be used.
    """
    import asyncio  # noqa: PLC0415 - the command line imports what it needs when it runs

    from metaexpert.logger.alerts.trial import answers, trial_message  # noqa: PLC0415 - as above
    from metaexpert.logger.outcome import Delivered  # noqa: PLC0415 - as above

    safe_output()
    config = loaded(file, None)
    of_rule = None if rule is None else _named("rule", rule, {each.name: each for each in config.alerts.rules})
    told = _told(config.alerts, of_rule, target)
    if not told:
        tell("error: nobody would be told: there is no target under alerts.targets; see docs/guides/alerts.md")
        raise typer.Exit(FAULT)
    found = asyncio.run(answers(told, trial_message(config.log_name, of_rule)))
    for name, sent in found.items():
        typer.echo(f"{name}: {_said(sent)}")
    raise typer.Exit(DONE if all(isinstance(sent, Delivered) for sent in found.values()) else LEFT)


def _told(options: "AlertsOptions", rule: "AnyRule | None", target: str | None) -> "list[AnyTarget]":
    """The targets a rule tells, or all; the named one of them."""
    known = {
        each.name: each
        for each in options.named_targets()
        if rule is None or rule.targets is None or each.name in rule.targets
    }
    return list(known.values()) if target is None else [_named("target", target, known)]


def _named[T](kind: str, name: str, known: dict[str, T]) -> T:
    if name not in known:
        tell(f"error: there is no {kind} {name!r}; known are {', '.join(known) or 'none'}")
        raise typer.Exit(FAULT)
    return known[name]


def _said(sent: "Sent") -> str:
    from metaexpert.logger.outcome import Delivered, Rejected, Retry  # noqa: PLC0415 - as above

    match sent:
        case Delivered(warning=warning):
            return f"told, {warning}" if warning else "told"
        case Rejected(status=status, reason=reason):
            return f"refused: {status} {reason}"
        case Retry(reason=reason):
            return f"not told: {reason}"
