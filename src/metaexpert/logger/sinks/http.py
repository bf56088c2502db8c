"""One aiohttp session to one collector: keep-alive, gzip off the loop, TLS, authentication, bounded answers.

Foreign exceptions end here: a request is answered by `Answer`, or by `NoAnswer` with the reason. Redirects are not
followed, since a POST that is redirected loses its body or its credentials. Answers are asked for uncompressed; one
that is compressed nevertheless is unpacked in the sink's thread, and no further than the bound.
"""

import asyncio
import base64
import gzip
import re
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, final

import aiohttp
from pydantic import SecretStr

from metaexpert.exceptions import ConfigError
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.http import HttpOptions
from metaexpert.logger.options.secret_files import read_secret
from metaexpert.logger.outcome import Retry
from metaexpert.logger.retry import parse_retry_after
from metaexpert.logger.sinks.resolver import WorkerResolver

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_SHOWN_BYTES: Final = 200
_GZIP_LEVEL: Final = 1
_KEEPALIVE_SECONDS: Final = 75.0
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})

_OPEN_HEADERS: Final = frozenset({"User-Agent", "Accept-Encoding", "X-Scope-OrgID"})
_HIDDEN: Final = b"(hidden)"
_SECRET_CHARACTERS: Final = 6
"""Shorter values stand in any text, and are none."""

_BAD_REQUEST: Final = 400
_REFUSED_BODY: Final = frozenset({_BAD_REQUEST, 413, 422})
_LOOKED_AT_BYTES: Final = 16 * 1024
_OPERATOR_STATUSES: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405, 406, 415})
"""Wrong address, credentials or kind of server: trying again soon helps nobody."""

_WRONG_OPTIONS: Final = re.compile(rb"(?:\A|; )unsupported path|\A(?:error: )?invalid 'Content-Type'")
"""How VictoriaLogs (behind what it says of the request) and Fluent Bit answer, with 400, where it is not the body
that is wrong but its address or Content-Type: cutting the batch would reject everything."""

_REFUSING_STATUSES: Final = frozenset({401, 403})
"""The credentials are refused: their files may hold newer ones."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a collector answered; `retry_after_seconds` from its Retry-After header, `secrets` what it was sent."""

    status: int
    body: bytes = b""
    retry_after_seconds: float | None = None
    secrets: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """The beginning of the body, for people; some servers repeat the request, credentials and all."""
        shown = self.body[:_LOOKED_AT_BYTES]
        for secret in self.secrets:
            shown = shown.replace(secret, _HIDDEN)
        return one_line(shown[:_SHOWN_BYTES].decode("utf-8", "replace"))

    @property
    def refuses_entries(self) -> bool:
        """Whether something in the body is refused, or its size, rather than where or how it was sent."""
        return self.status in _REFUSED_BODY and not self._is_misdirected

    @property
    def needs_operator(self) -> bool:
        """Whether somebody has to mend the options or the collector first: trying again soon helps nobody."""
        return self.status in _OPERATOR_STATUSES or self._is_misdirected

    @property
    def _is_misdirected(self) -> bool:
        return self.status == _BAD_REQUEST and _WRONG_OPTIONS.search(self.body[:_LOOKED_AT_BYTES]) is not None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No answer came; nothing is known of the entries.

    Attributes:
        reason: what happened, for people.
        closed: the connection stood and was closed under the request.
        pause: an operator has to mend it, for instance a certificate that does not verify.
    """

    reason: str
    closed: bool = False
    pause: bool = False


def one_line(text: str) -> str:
    """What a collector says, fit for a terminal: in one line, without control characters."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def common_outcome(answer: Answer) -> Retry:
    """The outcome of an answer that a collector's own table does not name: never a loss."""
    reason = f"HTTP {answer.status} {answer.text}"
    return Retry(reason, answer.retry_after_seconds, pause=answer.needs_operator)


@final
class HttpClient:
    """Posts bodies to one collector.

    Args:
        options: address, credentials, limits.
        worker: the thread that compresses, closed with the client.
    """

    def __init__(self, options: HttpOptions, worker: Worker) -> None:
        self._options = options
        self._worker = worker
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own_headers: dict[str, str] = {}
        self._secrets: tuple[bytes, ...] = ()

    async def post(
        self, path: str, body: bytes, content_type: str, more_headers: Mapping[str, str] | None = None
    ) -> Answer | NoAnswer:
        """Send `body` to `path` below the collector's address; again at once when a secret's file holds a newer one."""
        headers = {**(more_headers or {}), "Content-Type": content_type}
        if len(body) >= self._options.gzip_min_bytes:
            body = await self._worker.run(partial(gzip.compress, mtime=0), body, _GZIP_LEVEL)
            headers["Content-Encoding"] = "gzip"
        answer = await self._answer(path, body, headers)
        refused = isinstance(answer, Answer) and answer.status in _REFUSING_STATUSES
        return await self._answer(path, body, headers) if refused and await self._has_newer_secrets() else answer

    async def _answer(  # noqa: PLR0911 - one return for each way a request can end
        self, path: str, body: bytes, headers: dict[str, str]
    ) -> Answer | NoAnswer:
        try:
            session = self._session if self._loop is asyncio.get_running_loop() else None
            session = session or await self._open()
        except ConfigError as error:
            return NoAnswer(one_line(str(error)), pause=True)
        except (OSError, ValueError) as error:
            files = [self._options.ca_file, self._options.client_cert_file, self._options.client_key_file]
            named = ", ".join(str(file) for file in files if file)
            return NoAnswer(f"TLS files cannot be used ({named}): {error}", pause=True)
        try:
            return await self._send(session, self._options.url.rstrip("/") + path, body, headers)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError) as error:
            await self._close_session()  # the next attempt reads the certificates anew: they may be what was mended
            return NoAnswer(one_line(f"TLS: {error}"), pause=True)
        except aiohttp.InvalidURL:
            return NoAnswer("the address is invalid", pause=True)
        except aiohttp.ClientConnectorError as error:
            return NoAnswer(one_line(f"cannot connect: {error}"))
        except TimeoutError:
            return NoAnswer(f"no answer within {self._options.timeout:g} s")
        except (aiohttp.ClientError, OSError, EOFError) as error:
            return NoAnswer(one_line(f"connection broke: {type(error).__name__} {error}")[:_SHOWN_BYTES], closed=True)

    async def _send(self, session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent = self._own_headers | headers
        async with session.post(url, data=body, headers=sent, allow_redirects=False) as response:
            content = await self._unpacked(response.headers.get("Content-Encoding"), await _read_bounded(response))
            after = parse_retry_after(response.headers.get("Retry-After"), time.time, response.headers.get("Date"))
            return Answer(response.status, content, after, self._secrets)

    async def _unpacked(self, encoding: str | None, content: bytes) -> bytes:
        if (encoding or "").strip().lower() not in _PACKED:
            return content
        return await self._worker.run(_unpack, content)

    async def _open(self) -> aiohttp.ClientSession:
        options = self._options
        await self._close_session()
        # reading certificates takes tens of milliseconds
        tls = await self._worker.run(tls_context, options) if options.url.startswith("https:") else True
        self._take_headers(await self._new_headers())
        timeout = aiohttp.ClientTimeout(total=options.timeout, sock_connect=options.connect_timeout)
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(
                ssl=tls, limit=2, keepalive_timeout=_KEEPALIVE_SECONDS, resolver=WorkerResolver(self._worker)
            ),
        )
        return self._session

    async def _new_headers(self) -> dict[str, str]:
        if not self._options.secret_files():
            return _headers(self._options)
        return await self._worker.run(_headers, self._options)

    async def _has_newer_secrets(self) -> bool:
        """Whether the files hold other credentials than those that were sent, which are sent from now on."""
        try:
            headers = await self._new_headers()
        except ConfigError:  # while a secret is replaced; the ones at hand may yet be taken
            return False
        before = self._own_headers
        self._take_headers(headers)
        return headers != before

    def _take_headers(self, headers: dict[str, str]) -> None:
        self._own_headers, self._secrets = headers, _secrets_in(headers)

    async def close(self) -> None:
        """Close the connections and let the thread end; another request opens anew."""
        try:
            await self._close_session()
        finally:
            self._worker.close()

    async def _close_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:  # aiohttp leaves alone what belonged to a loop that is closed
            await session.close()
            await asyncio.sleep(0)  # transports close in their own callback


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body's first `MAX_ANSWER_BYTES`; a longer one costs its connection."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) >= MAX_ANSWER_BYTES:
            response.close()
            break
    return bytes(content[:MAX_ANSWER_BYTES])


def _unpack(content: bytes) -> bytes:
    """The first `MAX_ANSWER_BYTES` of a compressed body; what cannot be unpacked stays as it is."""
    for bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # with a header of gzip or zlib; bare, as some send "deflate"
        try:
            return zlib.decompressobj(bits).decompress(content, MAX_ANSWER_BYTES)
        except zlib.error:
            continue
    return content


def _headers(options: HttpOptions) -> dict[str, str]:
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
    if options.tenant:
        headers["X-Scope-OrgID"] = options.tenant
    return headers


def _secrets_in(headers: Mapping[str, str]) -> tuple[bytes, ...]:
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


def tls_context(options: HttpOptions) -> ssl.SSLContext | bool:
    """The context certificates are verified in; False, only on explicit request, for no verification.

    Raises:
        OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
        ValueError: the key is encrypted.
    """
    if not options.verify_tls and not options.client_cert_file:
        return False
    context = ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
    if not options.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_cert_file:
        context.load_cert_chain(
            str(options.client_cert_file),
            str(options.client_key_file) if options.client_key_file else None,
            password=_no_passphrase,
        )
    return context


def _no_passphrase() -> str:
    """Instead of OpenSSL's own question on the terminal, which would hold the thread for ever."""
    raise ValueError("the key is encrypted; store it without a passphrase, readable by its owner alone")
