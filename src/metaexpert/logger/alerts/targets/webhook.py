"""Alerts as HTTP POSTs of JSON, by the same sessions, certificates and credentials that sinks have.

The address may be a secret as a whole: nothing that is said of a failure shows more of it than the host. Slack's text
escapes `&`, `<` and `>` (https://docs.slack.dev/messaging/formatting-message-text); Discord's ends at 2000 characters.
"""

from collections.abc import Callable
from typing import Any, Final, final
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from metaexpert.exceptions import ConfigError
from metaexpert.logger.alerts.message import Message, as_json, text
from metaexpert.logger.alerts.targets.base import Sent
from metaexpert.logger.formats.controls import harmless
from metaexpert.logger.jobs import Worker
from metaexpert.logger.options.alert_targets import WebhookTargetOptions, address_fault
from metaexpert.logger.outcome import Delivered, Rejected, Retry
from metaexpert.logger.sinks.answer import Answer, NoAnswer
from metaexpert.logger.sinks.session import HttpSession

_REFUSED_CREDENTIALS: Final = frozenset({401, 403})
_SLACK_CHARACTERS: Final = 39_000
_DISCORD_CHARACTERS: Final = 1900
_SECRET_CHARACTERS: Final = 6
_SUCCESS: Final = range(200, 300)


def _slack(message: Message) -> dict[str, Any]:
    escaped = text(message)[:_SLACK_CHARACTERS].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": escaped}


def _discord(message: Message) -> dict[str, Any]:
    return {"content": text(message)[:_DISCORD_CHARACTERS], "allowed_mentions": {"parse": []}}


def _parts(url: str) -> list[str]:
    """What a server may repeat of an address, as it came or decoded, the longest first."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query)]
    whole = [url, f"{parts.path}?{parts.query}", parts.path, parts.query, *parts.path.split("/"), *values]
    return sorted({*whole, *map(unquote, whole)}, key=len, reverse=True)


_BODIES: Final[dict[str, Callable[[Message], dict[str, Any]]]] = {
    "json": as_json,
    "slack": _slack,
    "discord": _discord,
}


@final
class WebhookTarget:
    """One webhook.

    Args:
        options: address, body, credentials.
        worker: the thread for names, certificates and secrets' files; closed with the target.
    """

    def __init__(self, options: WebhookTargetOptions, worker: Worker) -> None:
        self._options = options
        self._worker = worker
        self._body = _BODIES[options.format]
        self._session: HttpSession | None = None
        self._url = ""

    async def send(self, message: Message) -> Sent:
        """Post it."""
        try:
            session = await self._opened()
        except ConfigError as error:
            return Retry(str(error), pause=True)
        closed = await session.opened()
        answer = closed or await self._post(session, harmless(orjson.dumps(self._body(message))))
        return self._outcome(answer)

    async def _opened(self) -> HttpSession:
        if self._session is not None:
            return self._session
        url = await self._worker.run(self._options.address)
        if fault := address_fault(url):
            raise ConfigError(f"url_file: the address in it {fault}")
        parts = urlsplit(url)
        self._url = url
        self._session = HttpSession(self._options.as_http(f"{parts.scheme}://{parts.netloc}"), self._worker)
        return self._session

    async def _post(self, session: HttpSession, body: bytes) -> Answer | NoAnswer:
        headers = {"Content-Type": "application/json"}
        answer = await session.exchange("POST", self._url, body, headers)
        refused = isinstance(answer, Answer) and answer.status in _REFUSED_CREDENTIALS
        if refused and await session.has_newer_secrets():
            answer = await session.exchange("POST", self._url, body, headers)
        return answer

    def _outcome(self, answer: Answer | NoAnswer) -> Sent:
        match answer:
            case NoAnswer():
                return Retry(self._shown(answer.reason), pause=answer.pause)
            case Answer(status=status) if status in _SUCCESS:
                return Delivered()
            case Answer(refuses_entries=True):
                return Rejected(answer.status, self._shown(answer.text))
            case Answer():
                reason = self._shown(f"HTTP {answer.status} {answer.text}")
                return Retry(reason, answer.retry_after_seconds, pause=answer.needs_operator)

    def _shown(self, said: str) -> str:
        """What is said of a failure, without the parts of the address that may be secrets."""
        for part in _parts(self._url):
            if len(part) >= _SECRET_CHARACTERS:
                said = said.replace(part, "(hidden)")
        return said

    async def close(self) -> None:
        """Close the connections; the next message reads the address anew."""
        session, self._session = self._session, None
        try:
            if session is not None:
                await session.close()
        finally:
            self._worker.close()
