"""A real SMTP server on loopback (aiosmtpd) that keeps every mail and answers as it is told to."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it arrived."""

    sender: str
    recipients: tuple[str, ...]
    content: EmailMessage
    encrypted: bool
    login: str | None

    @property
    def body(self) -> str:
        """Its text."""
        return cast("str", self.content.get_content())


class MailServer:
    """Takes mails.

    Attributes:
        mails: in the order of their arrival.
        replies: what is said to the next mails, in place of "250 OK".
        refused_recipients: recipients that are refused, with the reply.
        password: of the login "desk".
    """

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.replies: deque[str] = deque()
        self.refused_recipients: dict[str, str] = {}
        self.password = "s3cr3t-password"
        self.port = 0
        self.connections = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the connection."""
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a mail, or not."""
        if self.replies and (reply := self.replies.popleft()) != "250 OK":
            return reply
        content = message_from_bytes(cast("bytes", envelope.content), policy=policy.default)
        auth_data = cast("object", session.auth_data)  # None before a login, whatever its type says
        login = auth_data.login.decode() if isinstance(auth_data, LoginPassword) else None
        encrypted = session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
        self.mails.append(Mail(str(envelope.mail_from), tuple(envelope.rcpt_tos), content, encrypted, login))
        return "250 OK"

    def authenticated(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> Any:
        """Whether the login is the right one."""
        right = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=right, handled=False, auth_data=data)


@contextlib.asynccontextmanager
async def serving_mail(
    server: MailServer, tls: ssl.SSLContext | None = None, *, at_once: bool = False
) -> AsyncGenerator[MailServer]:
    """Serve on a free loopback port while the context lasts; TLS after STARTTLS, or `at_once`."""
    loop = asyncio.get_running_loop()
    protocols: list[SMTP] = []

    def connected() -> SMTP:
        protocol = SMTP(
            server,
            hostname="tests",
            tls_context=None if at_once else tls,
            require_starttls=tls is not None and not at_once,
            authenticator=server.authenticated,
            auth_require_tls=not at_once,
            loop=loop,
        )
        protocols.append(protocol)
        return protocol

    listening = await loop.create_server(connected, "127.0.0.1", 0, ssl=tls if at_once else None)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for protocol in protocols:
            if protocol.transport is not None:
                protocol.transport.close()
        await listening.wait_closed()
