"""Collectors reached over HTTP."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from metaexpert.logger.options.base import Seconds
from metaexpert.logger.options.sink import SinkOptions

_NOT_IN_URL: Final = re.compile(r"[?#\s\x00-\x1f\x7f]")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110, section 5.6.2: a token."""


def _http_url(value: str) -> str:
    if "@" in value:
        message = "must not carry credentials; use username and password"
        raise ValueError(message)
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or _bad_port(parts) or _NOT_IN_URL.search(value):
        message = 'must be an address such as "https://loki.example:3100"'
        raise ValueError(message)
    return value


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


type HttpUrl = Annotated[str, AfterValidator(_http_url)]
type HttpPath = Annotated[str, AfterValidator(_http_path)]
type LabelName = Annotated[str, AfterValidator(_label_name)]
type HeaderName = Annotated[str, AfterValidator(_header_name)]
type HeaderValue = Annotated[str, BeforeValidator(_header_safe)]
type HeaderSecret = Annotated[SecretStr, BeforeValidator(_header_safe)]


class HttpOptions(SinkOptions):
    """A collector reached over HTTP."""

    url: HttpUrl
    """The collector's address, without the path of its API."""
    headers: dict[HeaderName, HeaderSecret] = Field(default_factory=dict[str, SecretStr])
    """Further headers."""
    username: HeaderValue = ""
    password: HeaderSecret | None = None
    bearer_token: HeaderSecret | None = None
    api_key: HeaderSecret | None = None
    """Sent as `Authorization: ApiKey …`."""
    tenant: HeaderValue = ""
    """Sent as X-Scope-OrgID."""
    verify_tls: bool = True
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    timeout: Seconds = 10.0
    """Longest time a request may take in all, seconds."""
    connect_timeout: Seconds = 3.0
    """Longest time to connect, seconds."""
    gzip_min_bytes: int = Field(default=16 * 1024, ge=0)
    """Size from which a body is compressed, bytes."""
    backoff_first: Seconds = 0.5
    """Ceiling of the first wait between attempts, seconds; doubled each time, the wait drawn evenly below it."""
    backoff_max: Seconds = 30.0
    """Highest such ceiling, seconds."""
    batch_max_bytes: int = Field(default=900 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is sent, bytes before compression; a whole request stays below a mebibyte."""
    batch_max_age: Seconds = 1.0

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [name for name in ("username", "bearer_token", "api_key") if getattr(self, name)]
        if len(given) > 1:
            message = f"only one of username, bearer_token, api_key may be given, not {' and '.join(given)}"
            raise ValueError(message)
        return self


class LokiOptions(HttpOptions):
    """Grafana Loki."""

    type: Literal["loki"] = "loki"
    labels: dict[LabelName, str] = Field(default_factory=dict[str, str], max_length=12)
    """Labels of every stream, beside service, level and log_type; few and bounded."""
    metadata: tuple[str, ...] = ("symbol", "order_id", "client_order_id", "strategy_id", "trace_id", "span_id")
    """Fields sent as structured metadata too, beside entry_id."""


class ElasticsearchOptions(HttpOptions):
    """Elasticsearch or OpenSearch."""

    type: Literal["elasticsearch"] = "elasticsearch"
    index: str = Field(default="logs-metaexpert-default", min_length=1, max_length=255)
    """Index or data stream the documents are created in."""
    environment: str = ""
    """ECS service.environment."""


class NdjsonOptions(HttpOptions):
    """JSON lines to any collector over HTTP."""

    type: Literal["ndjson"] = "ndjson"
    path: HttpPath = "/"
    """Path the lines are posted to, below the address."""
    query: dict[str, str] = Field(default_factory=dict[str, str])
    """Query parameters of that address; secrets belong in `headers`, which are never shown."""
    format: Literal["json", "ecs"] = "json"
    """Keys of a line: those of a JSON file, or the Elastic Common Schema's."""
    environment: str = ""
    """ECS service.environment, for the format "ecs"."""
