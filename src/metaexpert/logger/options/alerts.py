"""Alerts: the rules by which there are any, and the targets they go to."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from metaexpert.logger.alerts.readings import EVERY, INGRESS
from metaexpert.logger.configuring.errors import nearest
from metaexpert.logger.options.alert_rules import AnyRule, DropsRuleOptions, SinkDownRuleOptions, ThresholdRuleOptions
from metaexpert.logger.options.alert_targets import AnyTarget
from metaexpert.logger.options.base import Options


class AlertsOptions(Options):
    """When somebody is told, and who."""

    rules: tuple[AnyRule, ...] = ()
    """What there is an alert for; without rules there are none."""
    targets: tuple[AnyTarget, ...] = ()
    """Where alerts go, beside the log itself."""
    check_every: Annotated[float, Field(ge=0.05, le=3600.0)] = 1.0
    """How often statistics and the passing of time are looked at, seconds."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        targets = [target.name for target in self.named_targets()]
        problems = [f"rules: the name {name!r} is used twice; give each rule its own" for name in _twice(
            rule.name for rule in self.rules
        )]  # fmt: skip
        problems += [
            f"targets: the name {name!r} is used twice; give each a name of its own" for name in _twice(targets)
        ]
        problems += [
            f"rules.{at}.targets: there is no target {name!r}{nearest(name, targets) if targets else '; add one'}"
            for at, rule in enumerate(self.rules)
            for name in rule.targets or ()
            if name not in targets
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def named_targets(self) -> tuple[AnyTarget, ...]:
        """The targets, each with a name."""
        return tuple(
            target if target.name else target.model_copy(update={"name": target.type}) for target in self.targets
        )

    def sinks_named(self) -> list[tuple[int, str]]:
        """The sinks that rules are about by name, each with the rule's place."""
        of_sinks = [
            (at, name)
            for at, rule in enumerate(self.rules)
            if isinstance(rule, SinkDownRuleOptions | DropsRuleOptions)
            for name in rule.sinks or ()
        ]
        figures = [
            (at, rule.figure.split(".")[1])
            for at, rule in enumerate(self.rules)
            if isinstance(rule, ThresholdRuleOptions) and rule.figure is not None and rule.figure.startswith("sinks.")
        ]
        return [(at, name) for at, name in (*of_sinks, *figures) if name not in {EVERY, INGRESS}]

    def secret_files(self) -> dict[str, Path]:
        """The files that hold secrets, by the option that names them."""
        return {
            f"targets.{at}.{name}": path
            for at, target in enumerate(self.targets)
            for name, path in target.secret_files().items()
        }


def _twice(names: Iterable[str]) -> list[str]:
    seen = list(names)
    return sorted({name for name in seen if seen.count(name) > 1})
