"""Collectors reached over HTTP."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self, override
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from metaexpert.logger.endpoints import Balance
from metaexpert.logger.formats.lines import JsonFormat, keys_of
from metaexpert.logger.formats.selection import ECS_KEYS, JSON_KEYS, DocumentKeys
from metaexpert.logger.options.base import Seconds
from metaexpert.logger.options.remote import RemoteOptions

_NOT_IN_URL: Final = re.compile(r"[?#\s\x00-\x1f\x7f]")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110, section 5.6.2: a token."""

_ALTERNATIVES: Final = (
    ("url", "urls"),
    ("username", "bearer_token", "bearer_token_file", "api_key", "api_key_file"),
    ("password", "password_file"),
)
"""Options of which one at most may be given."""


def _http_url(value: str) -> str:
    if "@" in value:
        message = "must not carry credentials; use username and password"
        raise ValueError(message)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or _bad_port(parts) or _NOT_IN_URL.search(value):
        message = 'must be an address such as "https://loki.example:3100"'
        raise ValueError(message)
    return f"{parts.scheme}{value[len(parts.scheme) :]}"  # in lower case, as whoever looks for "https" expects


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        message = "must be the name of a header: letters, digits and some punctuation, no spaces"
        raise ValueError(message)
    return value


def _bad_port(parts: SplitResult) -> bool:
    try:
        return parts.port == 0
    except ValueError:
        return True


def _header_safe(value: object) -> object:
    """A header's value; the newline that ends a secret's file is not part of it."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    text = text.strip()
    if not text.isprintable():
        message = "must not contain control characters"
        raise ValueError(message)
    return text


def _http_path(value: str) -> str:
    if not value.startswith("/") or _NOT_IN_URL.search(value):
        message = 'must be a path such as "/insert/jsonline"; parameters belong in query'
        raise ValueError(message)
    return value


def _label_name(value: str) -> str:
    if not value.isascii() or not value.isidentifier():
        message = "must be a label name: letters, digits and _, not beginning with a digit"
        raise ValueError(message)
    return value


type HttpUrl = Annotated[
    str, AfterValidator(_http_url), WithJsonSchema({"type": "string", "pattern": r"^https?://[^@?#\s]+$"})
]
type HttpPath = Annotated[str, AfterValidator(_http_path)]
type LabelName = Annotated[str, AfterValidator(_label_name)]
type HeaderName = Annotated[str, AfterValidator(_header_name)]
type HeaderValue = Annotated[str, BeforeValidator(_header_safe)]
type HeaderSecret = Annotated[SecretStr, BeforeValidator(_header_safe)]


class HttpOptions(RemoteOptions):
    """A collector reached over HTTP."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["url"]}, {"required": ["urls"]}]})

    urls: tuple[HttpUrl, ...] = ()
    """Several addresses of one collector, or of collectors that are the same to you; the preferred one first."""
    url: HttpUrl | None = Field(default=None, validate_default=True)
    """The collector's address, without the path of its API; `url` or `urls` is required."""
    balance: Balance = "failover"
    """Which of `urls` a batch goes to: the first one that answers, or in turn each that does."""
    headers: dict[HeaderName, HeaderSecret] = Field(default_factory=dict[str, SecretStr])
    """Further headers."""
    header_files: dict[HeaderName, Path] = Field(default_factory=dict[str, Path])
    """Further headers whose values stand in files."""
    username: HeaderValue = ""
    """For basic authentication."""
    password: HeaderSecret | None = None
    """For basic authentication."""
    password_file: Path | None = None
    """File with the password; read when a connection is opened, and again when the credentials are refused."""
    bearer_token: HeaderSecret | None = None
    """Sent as `Authorization: Bearer …`."""
    bearer_token_file: Path | None = None
    """File with the bearer token, read as `password_file` is."""
    api_key: HeaderSecret | None = None
    """Sent as `Authorization: ApiKey …`."""
    api_key_file: Path | None = None
    """File with the API key, read as `password_file` is."""
    tenant: HeaderValue = ""
    """Sent as X-Scope-OrgID."""
    verify_tls: bool = True
    """Verify the server's certificate."""
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    client_cert_file: Path | None = None
    """Client certificate."""
    client_key_file: Path | None = None
    """Its key, where it is in a file of its own."""
    timeout: Seconds = 10.0
    """Longest time a request may take in all, seconds."""
    connect_timeout: Seconds = 3.0
    """Longest time to connect, seconds."""
    gzip_min_bytes: int = Field(default=16 * 1024, ge=0)
    """Size from which a body is compressed, bytes."""
    batch_max_bytes: int = Field(default=900 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is sent, bytes before compression; a whole request stays below a mebibyte."""

    @field_validator("urls")
    @classmethod
    def _differ(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        named = [url.rstrip("/").casefold() for url in urls]
        for at, url in enumerate(named):
            if url in named[:at]:
                raise ValueError(f"names {urls[at]} twice")
        return urls

    @field_validator("url", mode="before")
    @classmethod
    def _some_address(cls, url: object, info: ValidationInfo) -> object:
        if url is None and info.data.get("urls") == ():
            raise PydanticKnownError("missing")
        return url

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = [
            f"only one of {', '.join(names)} may be given, not {' and '.join(given)}"
            for names in _ALTERNATIVES
            if len(given := [name for name in names if getattr(self, name)]) > 1
        ]
        problems += [
            f"header {name} may stand in headers or in header_files, not in both"
            for name in sorted({*map(str.casefold, self.headers)} & {*map(str.casefold, self.header_files)})
        ]
        if (self.password or self.password_file) and not self.username:
            problems.append("a password needs a username")
        if self.client_key_file and not self.client_cert_file:
            problems.append("client_key_file needs the certificate it belongs to in client_cert_file")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def addresses(self) -> tuple[str, ...]:
        """The collector's addresses, the preferred one first."""
        return self.urls if self.url is None else (self.url,)

    def secret_files(self) -> dict[str, Path]:
        """The files that hold secrets, by the option that names them."""
        named = {name: getattr(self, name) for name in ("password_file", "bearer_token_file", "api_key_file")}
        given = {name: path for name, path in named.items() if path is not None}
        return given | {f"header_files.{name}": path for name, path in self.header_files.items()}


class LokiOptions(HttpOptions):
    """Grafana Loki."""

    type: Literal["loki"] = "loki"
    labels: dict[LabelName, str] = Field(default_factory=dict[str, str], max_length=11)
    """Labels of every stream, beside service, level, log_type and, at times, replay; few and bounded."""
    metadata: tuple[str, ...] = ("symbol", "order_id", "client_order_id", "strategy_id", "trace_id", "span_id")
    """Fields sent as structured metadata too, beside entry_id."""

    @override
    def document_keys(self) -> DocumentKeys:
        return JSON_KEYS


class ElasticsearchOptions(HttpOptions):
    """Elasticsearch or OpenSearch."""

    type: Literal["elasticsearch"] = "elasticsearch"
    index: str = Field(default="logs-metaexpert-default", min_length=1, max_length=255)
    """Index or data stream the documents are created in."""
    environment: str = ""
    """ECS service.environment."""

    @override
    def document_keys(self) -> DocumentKeys:
        return ECS_KEYS


class NdjsonOptions(HttpOptions):
    """JSON lines to any collector over HTTP."""

    type: Literal["ndjson"] = "ndjson"
    path: HttpPath = "/"
    """Path the lines are posted to, below the address."""
    query: dict[str, str] = Field(default_factory=dict[str, str], repr=False)
    """Query parameters of that address; secrets belong in `headers`, which are never shown."""
    content_type: HeaderValue = Field(default="application/x-ndjson", min_length=1)
    """Content-Type of a request; some collectors take lines of JSON as `application/json` only."""
    format: JsonFormat = "json"
    """What a line is: an entry as in a JSON file, an ECS document, OTLP in JSON, or an event of Splunk's collector."""
    environment: str = ""
    """The environment that the formats "ecs" and "otel" name."""

    @override
    def document_keys(self) -> DocumentKeys:
        return keys_of(self.format)
