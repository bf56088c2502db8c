"""The headers of every request, and what of them is secret.

Secrets in files are read when they are needed; see `options.secret_files`.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from metaexpert.logger.options.http import HttpOptions
from metaexpert.logger.options.secret_files import read_secret
from metaexpert.logger.options.splunk import SplunkOptions

_OPEN_HEADERS: Final = frozenset({"User-Agent", "Accept-Encoding", "X-Scope-OrgID"})
_SECRET_CHARACTERS: Final = 6
"""Shorter values stand in any text, and are none."""


def headers_of(options: HttpOptions) -> dict[str, str]:
    """The headers of every request.

    Raises:
        ConfigError: a secret's file cannot be read.
    """
    headers = {"User-Agent": "metaexpert-logger", "Accept-Encoding": "identity"}
    headers |= {name: value.get_secret_value() for name, value in options.headers.items()}
    headers |= {name: read_secret(f"header_files.{name}", path) for name, path in options.header_files.items()}
    if options.username:
        password = _secret("password", options.password, options.password_file) or ""
        credentials = base64.b64encode(f"{options.username}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {credentials}"  # RFC 7617
    if token := _secret("bearer_token", options.bearer_token, options.bearer_token_file):
        headers["Authorization"] = f"Bearer {token}"
    if key := _secret("api_key", options.api_key, options.api_key_file):
        headers["Authorization"] = f"ApiKey {key}"
    if isinstance(options, SplunkOptions) and (token := _secret("token", options.token, options.token_file)):
        headers["Authorization"] = f"Splunk {token}"
    if options.tenant:
        headers["X-Scope-OrgID"] = options.tenant
    return headers


def secrets_in(headers: Mapping[str, str]) -> tuple[bytes, ...]:
    """What of the headers must not be shown, the longest first: values, credentials behind a scheme, a password."""
    found: set[str] = set()
    for name, value in headers.items():
        if name not in _OPEN_HEADERS:
            scheme, _, credentials = value.partition(" ")
            found |= {value, credentials}
            if name == "Authorization" and scheme == "Basic":
                found.add(_password_in(credentials))
    return tuple(sorted((one.encode() for one in found if len(one) >= _SECRET_CHARACTERS), key=len, reverse=True))


def _password_in(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except ValueError:  # a header of the user's own, which need not be well-formed
        return ""


def _secret(name: str, given: SecretStr | None, path: Path | None) -> str | None:
    if path is not None:
        return read_secret(f"{name}_file", path)
    return None if given is None else given.get_secret_value()
