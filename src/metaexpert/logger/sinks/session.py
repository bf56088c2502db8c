"""One aiohttp session to a collector's addresses: keep-alive, TLS, authentication, bounded answers.

Foreign exceptions end here: a request is answered by `Answer`, or by `NoAnswer` with the reason. Redirects are not
followed, since a POST that is redirected loses its body or its credentials. Answers are asked for uncompressed; one
that is compressed nevertheless is unpacked in the sink's thread, and no further than the bound. A name with several
addresses is tried as RFC 8305 (Happy Eyeballs) says, which is aiohttp's.
"""

import asyncio
import ssl
import time
import zlib
from typing import Final, final

import aiohttp

from metaexpert.exceptions import ConfigError
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.http import HttpOptions
from metaexpert.logger.options.splunk import SplunkOptions
from metaexpert.logger.retry import parse_retry_after
from metaexpert.logger.sinks.answer import SHOWN_BYTES, Answer, NoAnswer, one_line
from metaexpert.logger.sinks.credentials import headers_of, secrets_in
from metaexpert.logger.sinks.resolver import WorkerResolver
from metaexpert.logger.sinks.tls import tls_context

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_KEEPALIVE_SECONDS: Final = 75.0
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


@final
class HttpSession:
    """Requests to one collector.

    Args:
        options: addresses, credentials, limits.
        worker: the thread for what takes long, such as names and certificates.
    """

    def __init__(self, options: HttpOptions, worker: Worker) -> None:
        self._options = options
        self._worker = worker
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0
        self._stale = False
        self._own_headers: dict[str, str] = {}
        self._secrets: tuple[bytes, ...] = ()

    async def opened(self) -> NoAnswer | None:
        """Be ready for requests on the running loop; why that is not possible, where it is not."""
        renewed = self._stale and not self._under_way  # certificates are read anew: they may be what was mended
        if self._session is not None and self._loop is asyncio.get_running_loop() and not renewed:
            return None
        try:
            await self._open()
        except ConfigError as error:
            return NoAnswer(one_line(str(error)), pause=True)
        except (OSError, ValueError) as error:
            files = [self._options.ca_file, self._options.client_cert_file, self._options.client_key_file]
            named = ", ".join(str(file) for file in files if file)
            return NoAnswer(f"TLS files cannot be used ({named}): {error}", pause=True)
        return None

    async def exchange(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer | NoAnswer:
        """Send a request and read its answer; `opened` comes first."""
        self._under_way += 1
        try:
            return await self._send(method, url, body, headers)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError, ssl.SSLError) as error:
            self._stale = True
            return NoAnswer(one_line(f"TLS: {error}"), pause=True)
        except aiohttp.InvalidURL:
            return NoAnswer("the address is invalid", pause=True)
        except aiohttp.ClientConnectorError as error:
            return NoAnswer(one_line(f"cannot connect: {error}"))
        except TimeoutError:
            return NoAnswer(f"no answer within {self._options.timeout:g} s")
        except (aiohttp.ClientError, OSError, EOFError) as error:
            return NoAnswer(one_line(f"connection broke: {type(error).__name__} {error}")[:SHOWN_BYTES], closed=True)
        finally:
            self._under_way -= 1

    async def _send(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        session = self._session
        if session is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        sent = self._own_headers | headers
        async with session.request(method, url, data=body, headers=sent, allow_redirects=False) as response:
            content = await self._unpacked(response.headers.get("Content-Encoding"), await _read_bounded(response))
            after = parse_retry_after(response.headers.get("Retry-After"), time.time, response.headers.get("Date"))
            return Answer(response.status, content, after, self._secrets)

    async def _unpacked(self, encoding: str | None, content: bytes) -> bytes:
        if (encoding or "").strip().lower() not in _PACKED:
            return content
        return await self._worker.run(_unpack, content)

    async def _open(self) -> None:
        options = self._options
        await self.close()
        # reading certificates takes tens of milliseconds
        encrypted = any(url.startswith("https:") for url in options.addresses())
        tls = await self._worker.run(tls_context, options) if encrypted else True
        self._take_headers(await self._new_headers())
        self._loop = asyncio.get_running_loop()
        self._stale = False
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=options.timeout, sock_connect=options.connect_timeout),
            auto_decompress=False,
            # cookies hold a client to one indexer: no other knows its acknowledgements
            cookie_jar=aiohttp.CookieJar(unsafe=True)
            if isinstance(options, SplunkOptions)
            else aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(
                ssl=tls,
                limit_per_host=2,
                keepalive_timeout=_KEEPALIVE_SECONDS,
                resolver=WorkerResolver(self._worker),
            ),
        )

    # ---- secrets ----------------------------------------------------------------------------------------------

    async def _new_headers(self) -> dict[str, str]:
        if not self._options.secret_files():
            return headers_of(self._options)
        return await self._worker.run(headers_of, self._options)

    async def has_newer_secrets(self) -> bool:
        """Whether the files hold other credentials than those that were sent, which are sent from now on."""
        try:
            headers = await self._new_headers()
        except ConfigError:  # while a secret is replaced; the ones at hand may yet be taken
            return False
        before = self._own_headers
        self._take_headers(headers)
        return headers != before

    def _take_headers(self, headers: dict[str, str]) -> None:
        self._own_headers, self._secrets = headers, secrets_in(headers)

    async def close(self) -> None:
        """Close the connections; `opened` opens anew."""
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
