"""Splunk's HTTP Event Collector."""

from pathlib import Path
from typing import Annotated, Literal, Self, override

from pydantic import BeforeValidator, Field, model_validator

from metaexpert.logger.formats.selection import JSON_KEYS, DocumentKeys
from metaexpert.logger.formats.splunk_events import INDEXED_FIELDS
from metaexpert.logger.options.base import Seconds
from metaexpert.logger.options.http import HeaderSecret, HttpOptions

type FieldName = Annotated[str, Field(min_length=1, max_length=255)]


def _spoken(value: object) -> object:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class SplunkOptions(HttpOptions):
    """Splunk Enterprise or Splunk Cloud, over the HTTP Event Collector."""

    type: Literal["splunk"] = "splunk"
    token: HeaderSecret | None = None
    """The collector's token, sent as `Authorization: Splunk …`."""
    token_file: Path | None = None
    """File with the token, read as `password_file` is."""
    index: str = Field(default="", max_length=2048)
    """Index of the events; the token's own when empty."""
    source: str = ""
    """Splunk's `source` of the events; `log_name` when empty."""
    sourcetype: str = Field(default="_json", min_length=1)
    """Splunk's `sourcetype` of the events."""
    fields: dict[FieldName, str] = Field(default_factory=dict[str, str])
    """Indexed fields of every event, beside service and entry_id."""
    indexed_fields: tuple[FieldName, ...] = INDEXED_FIELDS
    """Fields of an entry that are indexed too, as text."""
    indexer_ack: Annotated[Literal["auto", "on", "off"], BeforeValidator(_spoken)] = "auto"
    """Indexer acknowledgement: waited for where the token has it; "on" sends nothing to a token without it."""
    ack_timeout: Seconds = 180.0
    """How long events may remain unacknowledged before they are sent again, seconds."""
    ack_poll_interval: Seconds = 1.0
    """Longest time between two questions for acknowledgements, seconds."""
    request_max_bytes: int = Field(default=900 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Size at which a request is closed, bytes before compression; a batch takes as many as it needs."""
    batch_max_entries: int = Field(default=25_000, ge=1)
    batch_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Encoded size at which a batch is sent, bytes; what awaits acknowledgement at a time are three batches at most."""

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        names = ("token", "token_file", "username", "bearer_token", "bearer_token_file", "api_key", "api_key_file")
        given = [name for name in names if getattr(self, name)]
        if len(given) > 1:
            message = f"only one of {', '.join(names)} may be given, not {' and '.join(given)}"
            raise ValueError(message)
        return self

    @override
    def secret_files(self) -> dict[str, Path]:
        return super().secret_files() | ({"token_file": self.token_file} if self.token_file else {})

    @override
    def document_keys(self) -> DocumentKeys:
        return JSON_KEYS
