"""What the check finds wrong with targets, without telling them."""

from pathlib import Path
from typing import Any

import pytest
from support.alerting import engine_of, entry, stats_of

from metaexpert.logger.alerts.target_check import target_errors, target_risks
from metaexpert.logger.options.alert_targets import AppriseTargetOptions, EmailTargetOptions, WebhookTargetOptions
from metaexpert.logger.stats import NO_STATS

MAIL: dict[str, Any] = {"host": "mail", "sender": "a@b.c", "recipients": ("d@e.f",)}


def test_certificates_that_cannot_be_read(tmp_path: Path):
    missing = tmp_path / "none.pem"
    (error,) = target_errors(WebhookTargetOptions(url="https://h/x", ca_file=missing))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert error.startswith(f"{missing} cannot be used: ")
    assert list(target_errors(EmailTargetOptions(**MAIL, ca_file=missing))) == [
        f"ca_file: there is no file {str(missing)!r}"
    ]


def test_secrets_that_cannot_be_read_are_told_elsewhere_and_once(tmp_path: Path):
    missing = tmp_path / "none"
    assert list(target_errors(WebhookTargetOptions(url_file=missing))) == []
    assert list(target_errors(AppriseTargetOptions(url_file=missing))) == []
    assert list(target_errors(EmailTargetOptions(**MAIL))) == []


def test_certificates_that_are_not_verified_are_a_risk():
    (risk,) = target_risks(EmailTargetOptions(**MAIL, verify_tls=False))
    assert risk.startswith("verify_tls: is off")
    assert list(target_risks(EmailTargetOptions(**MAIL))) == []


@pytest.mark.parametrize(("name", "value"), [("level", "ERROR"), ("log_type", "general"), ("logger", "app")])
def test_what_an_entry_is_groups_too(name: str, value: str):
    engine = engine_of({"type": "entry", "group_by": [name, "nothing"]})
    engine.look(entry(), 0.0)
    assert [alert.group for alert in engine.take()] == [((name, value),)]


def test_a_figure_of_a_part_has_no_group_and_none_where_the_part_is_not_there():
    engine = engine_of(
        {"type": "threshold", "name": "queued", "figure": "ingress.queued_entries", "below": 1},
        {"type": "threshold", "name": "journal", "figure": "journal.failures", "below": 1},
    )
    engine.tick(0.0, stats_of())
    assert [(alert.rule, alert.group) for alert in engine.take()] == [("queued", ())]
    assert NO_STATS.alerts is None
