"""What is wrong with a configuration is told by the option and with what would do; secrets are never shown."""

from pathlib import Path
from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import AlertsOptions, LoggerConfig
from metaexpert.logger.configuring.check import findings

WEBHOOK = {"type": "webhook", "url": "https://hooks.example.com/services/T0/B0/s3cr3t"}
MAIL = {"type": "email", "host": "mail", "sender": "a@b.c", "recipients": ["d@e.f"]}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "entri"}, "rules.0.type = 'entri': must be one of"),
        ({"type": "entri"}, "did you mean 'entry'?"),
        ({"type": "entry", "levle": "ERROR"}, "rules.0.levle: there is no such option; did you mean level?"),
        ({"type": "entry", "log_types": ["alert"]}, "an alert about alerts would feed itself"),
        ({"type": "entry", "for_at_least": "soon"}, "rules.0.for_at_least = 'soon': must be seconds"),
        ({"type": "rate", "within": 5}, "rules.0.count: is required"),
        ({"type": "rate", "count": 3, "within": 5, "resolve_below": 4}, "must not be above count (3); lower it"),
        ({"type": "error_rate", "above": 0.1, "resolve_at": 0.2, "within": 5}, "must not be beyond above"),
        ({"type": "threshold", "above": 1}, "one of field, figure, meter must be given, not none of them"),
        ({"type": "threshold", "field": "x"}, "one of above, below must be given"),
        ({"type": "threshold", "field": "x", "above": 1, "resolve_at": 2}, "must not be beyond above (1); lower it"),
        ({"type": "threshold", "field": "x", "below": 1, "resolve_at": 0}, "must not be beyond below (1); raise it"),
        ({"type": "threshold", "figure": "sinks.*.queued", "above": 1}, "did you mean sinks.*.queued_bytes?"),
        ({"type": "threshold", "meter": "x", "above": 1, "group_by": ["y"]}, "group_by is of entries: it needs field"),
        ({"type": "silence", "within": 5, "meter": "x", "level": "INFO"}, "level is of entries, and no use beside"),
        ({"type": "sink_down", "states": ["stopped"]}, "rules.0.states.0 = 'stopped'"),
        ({"type": "entry", "targets": ["dsk"]}, "rules.0.targets: there is no target 'dsk'; did you mean desk?"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule: dict[str, Any], said: str):
    with pytest.raises(ConfigError) as refused:
        AlertsOptions(rules=[{"name": "r", **rule}], targets=[{**WEBHOOK, "name": "desk"}])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"type": "webhok"}, "targets.0.type = 'webhok': must be one of 'apprise', 'console', 'email', 'webhook'"),
        ({"type": "webhook"}, "one of url and url_file must be given"),
        ({**WEBHOOK, "url_file": "x"}, "one of url and url_file must be given"),
        ({"type": "webhook", "url": "hooks.example.com/s3cr3t"}, "must be an address such as"),
        ({"type": "webhook", "url": "https://u:s3cr3t@hooks.example.com"}, "must not carry a user and password"),
        ({**WEBHOOK, "client_key_file": "k"}, "client_key_file needs the certificate it belongs to"),
        ({**WEBHOOK, "headers": {"A B": "c"}}, "must be the name of a header"),
        ({**MAIL, "sender": "nobody"}, "targets.0.sender = 'nobody': must be an address such as"),
        ({**MAIL, "recipients": ["a@b.c\r\nBcc: x@y.z"]}, "must be an address such as"),
        ({**MAIL, "password": "s3cr3t"}, "a password needs a username"),
        ({**MAIL, "username": "u", "password": "s3cr3t", "security": "none"}, 'use "starttls" or "tls"'),
        ({**MAIL, "username": "u", "password": "s3cr3t", "password_file": "x"}, "only one of password and password_f"),
        ({"type": "apprise"}, "one of url and url_file must be given"),
    ],
)
def test_a_target_that_cannot_be_is_refused(target: dict[str, Any], said: str):
    with pytest.raises(ConfigError) as refused:
        AlertsOptions(targets=[target])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert said in str(refused.value)
    assert "s3cr3t" not in str(refused.value)


def test_apprise_that_is_not_installed_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("metaexpert.logger.options.alert_targets.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'metaexpert\[alerts\]'"):
        AlertsOptions(targets=[{"type": "apprise", "url": "tgram://a/b"}])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_names_are_given_once():
    with pytest.raises(ConfigError, match=r"rules: the name 'r' is used twice"):
        AlertsOptions(rules=[{"type": "entry", "name": "r"}] * 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"targets: the name 'webhook' is used twice"):
        AlertsOptions(targets=[WEBHOOK] * 2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_secrets_are_not_shown():
    options = AlertsOptions(
        targets=[
            WEBHOOK,
            {"type": "apprise", "url": "tgram://s3cr3t/chat"},
            {**MAIL, "username": "u", "password": "s3cr3t"},
        ]  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    )
    assert "s3cr3t" not in repr(options)
    assert "s3cr3t" not in options.model_dump_json()


def test_secrets_files_are_tried_by_the_check_and_by_load(tmp_path: Path):
    page = tmp_path / "metaexpert.toml"
    missing, there = tmp_path / "none", tmp_path / "there"
    there.write_text("https://hooks.example.com/services/s3cr3t\n")
    there.chmod(0o600)
    page.write_text(
        f'[[alerts.targets]]\ntype = "webhook"\nurl_file = "{missing.as_posix()}"\n'
        f'[[alerts.targets]]\ntype = "webhook"\nname = "other"\nurl_file = "{there.as_posix()}"\n'
        f'[[alerts.targets]]\ntype = "email"\nhost = "mail"\nsender = "a@b.c"\nrecipients = ["d@e.f"]\n'
        f'username = "u"\npassword_file = "{missing.as_posix()}"\n'
    )
    with pytest.raises(ConfigError) as refused:
        LoggerConfig.load(page, environ={})
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "LoggerConfig.alerts.targets.0.url_file",
        "LoggerConfig.alerts.targets.2.password_file",
    ]
    missing.write_text("x")
    config = LoggerConfig.load(page, environ={}, log_dir=tmp_path)
    (error,) = findings(config).errors
    assert error.startswith("LoggerConfig.alerts.targets.0.url_file: the address in it must be an address such as")
    there.chmod(0o644)
    assert any("alerts.targets.1.url_file: any user here can read" in warning for warning in findings(config).warnings)


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "sink_down", "sinks": ["locki"]},
        {"type": "drops", "sinks": ["ingress", "locki"]},
        {"type": "threshold", "figure": "sinks.locki.retries", "above": 1},
    ],
)
def test_a_rule_about_a_sink_there_is_none_of_is_refused(rule: dict[str, Any]):
    sinks = [{"type": "loki", "url": "http://localhost:3100"}]
    with pytest.raises(ConfigError, match=r"alerts.rules.0: there is no sink 'locki'; did you mean loki\?"):
        LoggerConfig(sinks=sinks, alerts={"rules": [{"name": "r", **rule}]})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LoggerConfig(
        log_dir=Path("nowhere"), alerts={"rules": [{"name": "r", "type": "drops", "sinks": ["ingress", "file"]}]}
    )  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
