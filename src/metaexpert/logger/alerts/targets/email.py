"""Alerts as e-mail through an SMTP server (RFC 5321), with `smtplib` in a thread of the target's own.

A reply of 4xx is tried again; 5xx to the login, the sender or all recipients waits for an operator, since every further
message would meet the same; 5xx to the message itself is final.

A mail whose fate is unknown goes again with the `Message-ID` it had, which mailboxes know duplicates by.
"""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final, final

from metaexpert.exceptions import ConfigError
from metaexpert.logger.alerts.message import Message, lines, subject
from metaexpert.logger.alerts.targets.base import Blocking, Sent, Unsure
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.alert_targets import EmailTargetOptions
from metaexpert.logger.options.secret_files import read_secret
from metaexpert.logger.outcome import Delivered, Rejected, Retry
from metaexpert.logger.sinks.answer import one_line

_PERMANENT: Final = 500
_SHOWN_CHARACTERS: Final = 200
_SUBJECT_CHARACTERS: Final = 200


@final
class EmailTarget:
    """The mailboxes of some people.

    Args:
        options: server, login, sender and recipients.
        worker: the thread, closed with the target.
    """

    def __init__(self, options: EmailTargetOptions, worker: Worker) -> None:
        self._options = options
        self._blocking = Blocking(worker)

    async def send(self, message: Message) -> Sent:
        """Send it."""
        mail = self._mail(message)
        return await self._blocking.run(message, lambda: self._sent(mail))

    async def close(self) -> None:
        """Let the thread end."""
        self._blocking.close()

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject(message)[:_SUBJECT_CHARACTERS].encode("utf-8", "replace").decode()
        mail["From"] = self._options.sender
        mail["To"] = ", ".join(self._options.recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.id}.metaexpert@{self._options.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers
        mail.set_content("\n".join(lines(message)).encode("utf-8", "replace").decode() + "\n")
        return mail

    # ---- in the thread ----------------------------------------------------------------------------------------

    def _sent(self, mail: EmailMessage) -> Sent:  # noqa: PLR0911 - one for each kind of failure
        try:
            server = self._connected()
            try:
                refused = server.send_message(mail, self._options.sender, self._options.recipients)
            except OSError as error:  # which smtplib's own are too
                if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
                    raise
                return Unsure(_told("the connection broke", error))  # behind the last byte it may have been taken
            finally:
                with contextlib.suppress(OSError, smtplib.SMTPException):  # what matters was said before
                    server.quit()
        except ConfigError as error:
            return Retry(str(error), pause=True)
        except smtplib.SMTPDataError as error:
            return _refused_message(error)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return Retry(_told("recipients refused", error), pause=all(code >= _PERMANENT for code in codes))
        except smtplib.SMTPResponseException as error:
            return Retry(_told("refused", error), pause=error.smtp_code >= _PERMANENT)
        except smtplib.SMTPNotSupportedError as error:
            return Retry(_told("the server cannot do this", error), pause=True)
        except (ssl.SSLError, ssl.CertificateError) as error:
            return Retry(_told("TLS", error), pause=True)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return Retry(_told("cannot be sent", error))
        return Delivered(warning=f"not to {', '.join(refused)}" if refused else "")

    def _connected(self) -> smtplib.SMTP:
        options = self._options
        if options.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                options.host, options.port, timeout=options.timeout, context=self._tls()
            )
        else:
            server = smtplib.SMTP(options.host, options.port, timeout=options.timeout)
        try:
            if options.security == "starttls":
                server.starttls(context=self._tls())
            if options.username:
                server.login(options.username, self._password())
        except BaseException:
            server.close()
            raise
        return server

    def _tls(self) -> ssl.SSLContext:
        ca_file = self._options.ca_file
        try:
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except OSError as error:
            raise ConfigError(f"ca_file: the file {str(ca_file)!r} cannot be used: {error}") from error
        if not self._options.verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _password(self) -> str:
        options = self._options
        if options.password_file is not None:
            return read_secret("password_file", options.password_file)
        return "" if options.password is None else options.password.get_secret_value()


def _refused_message(error: smtplib.SMTPDataError) -> Sent:
    said = _told("the message was refused", error)
    return Rejected(error.smtp_code, said) if error.smtp_code >= _PERMANENT else Retry(said)


def _told(what: str, error: Exception) -> str:
    """What the server said, or the system; login names and passwords are in neither."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = [f"{name}: {code} {_text(reply)}" for name, (code, reply) in error.recipients.items()]
        return one_line(f"{what}: {'; '.join(replies)}")[:_SHOWN_CHARACTERS]
    if isinstance(error, smtplib.SMTPResponseException):
        return one_line(f"{what}: {error.smtp_code} {_text(error.smtp_error)}")[:_SHOWN_CHARACTERS]
    return one_line(f"{what}: {type(error).__name__} {error}")[:_SHOWN_CHARACTERS]


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
