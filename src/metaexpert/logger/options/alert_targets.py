"""The targets of alerts, told apart by their `type`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal, Self, override
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from metaexpert.logger.options.base import Options, Seconds
from metaexpert.logger.options.http import HeaderName, HeaderSecret, HttpOptions
from metaexpert.logger.options.secret_files import read_secret

_ADDRESS_MARK: Final = "@"


def _secret_text(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    if not text.strip().isprintable():
        message = "must not contain control characters"
        raise ValueError(message)
    return text.strip()


def _mail_address(value: str) -> str:
    local, mark, host = value.strip().rpartition(_ADDRESS_MARK)
    if not (local and mark and host) or not value.isprintable() or any(each in value for each in " ,;<>\"'"):
        message = 'must be an address such as "desk@example.com"'
        raise ValueError(message)
    return value.strip()


type SecretText = Annotated[SecretStr, BeforeValidator(_secret_text)]
type MailAddress = Annotated[str, AfterValidator(_mail_address)]


class AlertTargetOptions(Options):
    """What every target has."""

    name: str = Field(default="", max_length=64)
    """The target's name in rules, entries and statistics; its type when empty."""
    group_for: Annotated[float, Field(ge=0.0, le=3600.0)] = 1.0
    """How long an alert waits for others, to be one message with them, seconds."""
    per_minute: int = Field(default=10, ge=1, le=10_000)
    """Messages a minute at most; what comes in between is summed up in the next one."""
    max_alerts: int = Field(default=10, ge=1, le=100)
    """Alerts a message tells one by one; it counts the rest."""
    max_pending: int = Field(default=1000, ge=1, le=100_000)
    """Alerts that wait while the target is down; the oldest give way, and are counted in the next message."""
    timeout: Seconds = 10.0
    """Longest time one attempt may take, seconds."""
    backoff_first: Seconds = 1.0
    """Ceiling of the first wait between attempts, seconds; doubled each time, the wait drawn evenly below it."""
    backoff_max: Seconds = 60.0
    """Highest such ceiling, seconds."""

    def secret_files(self) -> dict[str, Path]:
        """The files that hold secrets, by the option that names them."""
        return {}


class ConsoleTargetOptions(AlertTargetOptions):
    """A bell and a line on stderr."""

    type: Literal["console"] = "console"
    """What tells the targets in a list apart."""
    bell: bool = True
    """Ring the terminal's bell."""


class WebhookTargetOptions(AlertTargetOptions):
    """An HTTP POST of JSON: of a webhook of your own, or a chat's."""

    type: Literal["webhook"] = "webhook"
    """What tells the targets in a list apart."""
    url: SecretText | None = None
    """The whole address, which often is a secret; this or `url_file` is required."""
    url_file: Path | None = None
    """File with the address."""
    format: Literal["json", "slack", "discord"] = "json"
    """The body: all there is to know, or what chats take (`{"text": …}`, as Slack, Mattermost and Rocket.Chat do)."""
    headers: dict[HeaderName, HeaderSecret] = Field(default_factory=dict[str, SecretStr])
    """Further headers."""
    header_files: dict[HeaderName, Path] = Field(default_factory=dict[str, Path])
    """Further headers whose values stand in files."""
    verify_tls: bool = True
    """Verify the server's certificate."""
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    client_cert_file: Path | None = None
    """Client certificate."""
    client_key_file: Path | None = None
    """Its key, where it is in a file of its own."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and (fault := address_fault(url.get_secret_value())):
            raise ValueError(fault)
        return url

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            message = "one of url and url_file must be given"
            raise ValueError(message)
        self.as_http("http://localhost")  # headers and certificates fit together
        return self

    @override
    def secret_files(self) -> dict[str, Path]:
        files = {} if self.url_file is None else {"url_file": self.url_file}
        return files | {f"header_files.{name}": path for name, path in self.header_files.items()}

    def address(self) -> str:
        """The whole address; reads the file that holds it.

        Raises:
            ConfigError: the file cannot be read.
        """
        if self.url_file is not None:
            return read_secret("url_file", self.url_file)
        return "" if self.url is None else self.url.get_secret_value()

    def as_http(self, server: str) -> HttpOptions:
        """What a session to `server` needs to know."""
        return HttpOptions(
            name=self.name,
            url=server,
            headers=dict(self.headers),
            header_files=dict(self.header_files),
            verify_tls=self.verify_tls,
            ca_file=self.ca_file,
            client_cert_file=self.client_cert_file,
            client_key_file=self.client_key_file,
            timeout=self.timeout,
            connect_timeout=self.timeout,
        )


class EmailTargetOptions(AlertTargetOptions):
    """E-mail through an SMTP server."""

    type: Literal["email"] = "email"
    """What tells the targets in a list apart."""
    host: str = Field(min_length=1)
    """The SMTP server."""
    port: int = Field(default=587, ge=1, le=65_535)
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """TLS after the greeting, from the first byte on (port 465), or not at all."""
    verify_tls: bool = True
    """Verify the server's certificate."""
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    username: str = ""
    """Login, where the server wants one."""
    password: SecretText | None = None
    """Its password."""
    password_file: Path | None = None
    """File with the password, read for each message."""
    sender: MailAddress
    """From whom the messages are."""
    recipients: tuple[MailAddress, ...] = Field(min_length=1)
    """To whom they go."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.password is not None and self.password_file is not None:
            message = "only one of password and password_file may be given"
            raise ValueError(message)
        if (self.password or self.password_file) and not self.username:
            message = "a password needs a username"
            raise ValueError(message)
        if self.username and self.security == "none":
            message = 'security "none" would send the password to whoever listens; use "starttls" or "tls"'
            raise ValueError(message)
        return self

    @override
    def secret_files(self) -> dict[str, Path]:
        return {} if self.password_file is None else {"password_file": self.password_file}


class AppriseTargetOptions(AlertTargetOptions):
    """One of the services that apprise knows: Telegram, Slack, PagerDuty, …; needs the extra `alerts`."""

    type: Literal["apprise"] = "apprise"
    """What tells the targets in a list apart."""
    url: SecretText | None = None
    """The service's address as apprise spells it, such as `tgram://token/chat`; this or `url_file` is required."""
    url_file: Path | None = None
    """File with the address."""

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            message = "one of url and url_file must be given"
            raise ValueError(message)
        if find_spec("apprise") is None:
            message = "needs a package that is not installed: pip install 'metaexpert[alerts]'"
            raise ValueError(message)
        return self

    @override
    def secret_files(self) -> dict[str, Path]:
        return {} if self.url_file is None else {"url_file": self.url_file}

    def address(self) -> str:
        """The address; reads the file that holds it.

        Raises:
            ConfigError: the file cannot be read.
        """
        if self.url_file is not None:
            return read_secret("url_file", self.url_file)
        return "" if self.url is None else self.url.get_secret_value()


type AnyTarget = Annotated[
    ConsoleTargetOptions | WebhookTargetOptions | EmailTargetOptions | AppriseTargetOptions,
    Field(discriminator="type"),
]


def address_fault(url: str) -> str:
    """What is wrong with a webhook's address, without showing it; empty when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return 'must be an address such as "https://hooks.example.com/services/…"'
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not url.isprintable() or " " in url:
        return 'must be an address such as "https://hooks.example.com/services/…"'
    return "must not carry a user and password; use headers" if "@" in parts.netloc else ""
