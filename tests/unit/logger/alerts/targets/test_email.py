"""Alerts as e-mail, against a real SMTP server."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from support.alerting import message_of
from support.certificates import Certificates, make_certificates
from support.mail_server import MailServer, serving_mail

from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.message import Word
from metaexpert.logger.alerts.targets.base import Sent, Unsure
from metaexpert.logger.alerts.targets.email import EmailTarget
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.options.alert_targets import EmailTargetOptions
from metaexpert.logger.outcome import Delivered, Rejected, Retry

MESSAGE = message_of(
    Word(
        Alert(
            rule="margin", severity=Severity.ERROR, state=AlertState.FIRING, group=(("symbol", "BTC"),),
            text="über 5\r\nBcc: x@y.z", count=1, since=0.0, at=0.0,
        ),
        0,
        0,
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def sent(server: MailServer, **options: Any) -> Sent:
    values = {
        "host": "127.0.0.1", "port": server.port, "security": "none", "sender": "bot@desk.example",
        "recipients": ["a@desk.example", "b@desk.example"], "timeout": 5, "name": "mail",
    } | options  # fmt: skip
    target = EmailTarget(EmailTargetOptions(**values), Worker(Jobs(), "mail"))  # pyright: ignore[reportArgumentType]
    try:
        return await target.send(MESSAGE)
    finally:
        await target.close()


async def test_a_mail_says_it_all_and_nobody_breaks_into_its_headers():
    async with serving_mail(MailServer()) as server:
        assert await sent(server) == Delivered()
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("bot@desk.example", ("a@desk.example", "b@desk.example"))
    assert mail.content["Subject"] == "[FIRING] desk: margin (symbol=BTC)"
    assert mail.content["To"] == "a@desk.example, b@desk.example"
    assert mail.content["Auto-Submitted"] == "auto-generated"
    assert mail.content["Message-ID"].endswith("@desk.example>")
    assert mail.content["Bcc"] is None
    assert "FIRING error margin (symbol=BTC): über 5\\r\\nBcc: x@y.z" in mail.body


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_and_login(security: str, certificates: Certificates, tmp_path: Path):
    password = tmp_path / "password"
    password.write_text("s3cr3t-password\n")
    tls, at_once = certificates.server_context(), security == "tls"
    async with serving_mail(MailServer(), tls, at_once=at_once) as server:
        secure = {
            "security": security,
            "ca_file": certificates.authority,
            "username": "desk",
            "password_file": password,
        }
        assert await sent(server, **secure) == Delivered()
    (mail,) = server.mails
    assert (mail.encrypted, mail.login) == (True, "desk")


async def test_a_server_that_cannot_be_trusted_gets_nothing(certificates: Certificates):
    async with serving_mail(MailServer(), certificates.server_context()) as server:
        failed = await sent(server, security="starttls", username="desk", password="s3cr3t-password")
    assert isinstance(failed, Retry)
    assert failed.pause
    assert "certificate" in failed.reason
    assert server.mails == []


async def test_a_wrong_password_waits_for_an_operator_and_is_not_shown(certificates: Certificates):
    async with serving_mail(MailServer(), certificates.server_context()) as server:
        failed = await sent(
            server, security="starttls", ca_file=certificates.authority, username="desk", password="wr0ng-password"
        )
    assert isinstance(failed, Retry)
    assert failed.pause
    assert "535" in failed.reason
    assert "wr0ng" not in failed.reason


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("451 try later", Retry("the message was refused: 451 try later")),
        ("554 spam", Rejected(554, "the message was refused: 554 spam")),
    ],
)
async def test_replies_to_the_mail(reply: str, outcome: Sent):
    async with serving_mail(MailServer()) as server:
        server.replies.append(reply)
        assert await sent(server) == outcome
        assert await sent(server) == Delivered()


async def test_one_refused_recipient_is_told_and_all_of_them_wait_for_an_operator():
    async with serving_mail(MailServer()) as server:
        server.refused_recipients["a@desk.example"] = "550 who?"
        assert await sent(server) == Delivered(warning="not to a@desk.example")
        server.refused_recipients["b@desk.example"] = "550 who?"
        failed = await sent(server)
        assert isinstance(failed, Retry)
        assert failed.pause
        assert "550 who?" in failed.reason
        server.refused_recipients["b@desk.example"] = "450 busy"
        failed = await sent(server)
        assert isinstance(failed, Retry)
        assert not failed.pause
    assert [mail.recipients for mail in server.mails] == [("b@desk.example",)]


async def test_a_server_that_is_not_there_is_tried_again():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        server = MailServer()
        server.port = taken.getsockname()[1]
        failed = await sent(server)
    assert isinstance(failed, Retry)
    assert not failed.pause
    assert "ConnectionRefusedError" in failed.reason


async def test_one_that_hangs_up_or_never_greets_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = MailServer()
        server.port = silent.getsockname()[1]
        failed = await sent(server, timeout=0.05)
    assert isinstance(failed, Retry)
    assert not failed.pause


async def test_a_password_that_cannot_be_read_waits_for_an_operator(certificates: Certificates, tmp_path: Path):
    async with serving_mail(MailServer(), certificates.server_context()) as server:
        secure = {"security": "starttls", "ca_file": certificates.authority, "username": "desk"}
        failed = await sent(server, **secure, password_file=tmp_path / "none")
    assert isinstance(failed, Retry)
    assert failed.pause
    assert failed.reason.startswith("password_file: the file")


async def test_a_missing_authority_waits_for_an_operator(tmp_path: Path):
    async with serving_mail(MailServer()) as server:
        failed = await sent(server, security="starttls", ca_file=tmp_path / "none")
    assert isinstance(failed, Retry)
    assert failed.pause


def target_of(server: MailServer) -> EmailTarget:
    options = EmailTargetOptions(
        host="127.0.0.1", port=server.port, security="none", sender="bot@desk.example", recipients=("a@desk.example",),
        timeout=5, name="mail",
    )  # fmt: skip
    return EmailTarget(options, Worker(Jobs(), "mail"))


async def test_a_server_slower_than_anybody_waits_gets_the_mail_once():
    taken, released = asyncio.Event(), asyncio.Event()

    class Slow(MailServer):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
            reply = await super().handle_DATA(server, session, envelope)
            taken.set()
            await released.wait()
            return reply

    async with serving_mail(Slow()) as server:
        target = target_of(server)
        given_up = asyncio.create_task(target.send(MESSAGE))
        await taken.wait()
        given_up.cancel()
        await asyncio.wait([given_up])
        assert await target.send(MESSAGE) == Unsure("an earlier attempt still hangs")
        released.set()
        answer: Sent = Retry("")
        while isinstance(answer, Retry):
            await asyncio.sleep(0)
            answer = await target.send(MESSAGE)
        await target.close()
    assert answer == Delivered()
    assert len(server.mails) == 1


async def test_a_mail_whose_fate_is_unknown_goes_again_under_the_same_id():
    class HangingUp(MailServer):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
            reply = await super().handle_DATA(server, session, envelope)
            if len(self.mails) == 1:
                server.transport.abort()
            return reply

    async with serving_mail(HangingUp()) as server:
        target = target_of(server)
        first, second = await target.send(MESSAGE), await target.send(MESSAGE)
        await target.close()
    assert isinstance(first, Unsure)
    assert second == Delivered()
    (one, two) = [mail.content["Message-ID"] for mail in server.mails]
    assert one == two
