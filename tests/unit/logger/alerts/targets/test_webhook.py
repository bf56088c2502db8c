"""Alerts as HTTP POSTs, against a real server."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.alerting import message_of
from support.certificates import make_certificates
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.logger.alerts.alert import Alert, AlertState, Severity
from metaexpert.logger.alerts.message import Word
from metaexpert.logger.alerts.targets.base import Sent
from metaexpert.logger.alerts.targets.webhook import WebhookTarget
from metaexpert.logger.jobs import Jobs, Worker
from metaexpert.logger.options.alert_targets import WebhookTargetOptions
from metaexpert.logger.outcome import Delivered, Rejected, Retry

SECRET = "/services/T0001/B0001/s3cr3tpath"
ALERT = Alert(
    rule="margin", severity=Severity.ERROR, state=AlertState.FIRING, group=(("symbol", "BTC"),),
    text="<b>5 & more</b>", count=1, since=0.0, at=0.0, value=6.0, limit=5.0, note="call",
)  # fmt: skip
MESSAGE = message_of(Word(ALERT, 0, 0))


async def sent(url: str, **options: Any) -> Sent:
    where = {} if "url_file" in options else {"url": url}
    target = WebhookTarget(
        WebhookTargetOptions(**{"name": "hook", "timeout": 5, **where, **options}), Worker(Jobs(), "hook")
    )
    try:
        return await target.send(MESSAGE)
    finally:
        await target.close()


async def test_json_says_all_there_is_to_know():
    async with serving(ScriptedCollector(status(200))) as hook:
        assert await sent(f"{hook.url}{SECRET}?a=b", headers={"X-Desk": "crypto"}) == Delivered()
    (request,) = hook.requests
    assert (request.method, request.path) == ("POST", f"{SECRET}?a=b")
    assert (request.headers["Content-Type"], request.headers["X-Desk"]) == ("application/json", "crypto")
    document = orjson.loads(request.body)
    assert (document["service"], document["status"], document["version"]) == ("desk", "firing", 1)
    (alert,) = document["alerts"]
    assert alert == {
        "key": ALERT.key, "rule": "margin", "severity": "error", "state": "firing", "group": {"symbol": "BTC"},
        "text": "<b>5 & more</b>", "count": 1, "since": "1970-01-01T00:00:00Z", "at": "1970-01-01T00:00:00Z",
        "seconds": 0.0, "value": 6.0, "limit": 5.0, "note": "call",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "key", "shown"),
    [("slack", "text", "&lt;b&gt;5 &amp; more&lt;/b&gt;"), ("discord", "content", "<b>5 & more</b>")],
)
async def test_chats_get_text(kind: str, key: str, shown: str):
    async with serving(ScriptedCollector(status(204))) as hook:
        assert await sent(hook.url, format=kind) == Delivered()
    body = orjson.loads(hook.requests[0].body)
    assert body[key].startswith(f"desk: FIRING error margin (symbol=BTC): {shown}\n")


async def test_the_address_may_stand_in_a_file(tmp_path: Path):
    file = tmp_path / "url"
    async with serving(ScriptedCollector(status(200))) as hook:
        file.write_text(f"{hook.url}{SECRET}\n")
        assert await sent("", url_file=file) == Delivered()
        file.write_text("gopher://nowhere")
        failed = await sent("", url_file=file)
        file.unlink()
        missing = await sent("", url_file=file)
    assert hook.requests[0].path == SECRET
    assert isinstance(failed, Retry)
    assert isinstance(missing, Retry)
    assert failed.pause
    assert missing.pause
    assert "nowhere" not in failed.reason


@pytest.mark.parametrize(
    ("code", "headers", "outcome"),
    [
        (500, {}, Retry("HTTP 500 said")),
        (429, {"Retry_After": "7"}, Retry("HTTP 429 said", 7.0)),
        (503, {}, Retry("HTTP 503 said")),
        (403, {}, Retry("HTTP 403 said", pause=True)),
        (404, {}, Retry("HTTP 404 said", pause=True)),
        (302, {"Location": "/elsewhere"}, Retry("HTTP 302 said", pause=True)),
        (400, {}, Rejected(400, "said")),
        (413, {}, Rejected(413, "said")),
    ],
)
async def test_each_answer_means_something(code: int, headers: dict[str, str], outcome: Sent):
    async with serving(ScriptedCollector(status(code, "said", **headers))) as hook:
        assert await sent(hook.url) == outcome


@pytest.mark.parametrize("how", ["close", "half_answer", "garbage"])
async def test_connections_that_break_are_tried_again(how: str):
    collector = ScriptedCollector(status(200))
    async with serving(collector) as hook:
        hook.then(getattr(collector, how))
        failed = await sent(f"{hook.url}{SECRET}")
        assert isinstance(failed, Retry)
        assert not failed.pause
        assert await sent(f"{hook.url}{SECRET}") == Delivered()


async def test_one_that_never_answers_or_is_not_there_is_tried_again():
    collector = ScriptedCollector(status(200))
    async with serving(collector) as hook:
        hook.then(collector.hang)
        assert await sent(hook.url, timeout=0.05) == Retry("no answer within 0.05 s")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        failed = await sent(f"http://127.0.0.1:{taken.getsockname()[1]}{SECRET}")
    assert isinstance(failed, Retry)
    assert "cannot connect" in failed.reason


async def test_no_failure_shows_what_may_be_secret_in_the_address():
    async def echo(request: Any, _: Any) -> Any:
        return await status(500, f"cannot serve {request.path_qs} or {request.path}")(request, _)

    async with serving(ScriptedCollector(echo)) as hook:
        failed = await sent(f"{hook.url}{SECRET}?token=s3cr3tquery", headers={"Authorization": "Bearer s3cr3tbearer"})
    assert isinstance(failed, Retry)
    assert "s3cr3t" not in failed.reason
    assert "(hidden)" in failed.reason


async def test_a_part_of_the_address_alone_is_as_secret():
    answer = status(404, "no hook s3cr3tpart, no token s3cr3t/value")
    async with serving(ScriptedCollector(answer)) as hook:
        failed = await sent(f"{hook.url}/hooks/s3cr3tpart?token=s3cr3t%2Fvalue")
    assert isinstance(failed, Retry)
    assert "no hook (hidden), no token (hidden)" in failed.reason


async def test_credentials_that_are_refused_are_read_anew(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("old-token")

    async def wants_the_new_one(request: Any, received: Any) -> Any:
        if request.headers["X-Token"] == "new-token":
            return await status(200)(request, received)
        token.write_text("new-token")
        return await status(401)(request, received)

    async with serving(ScriptedCollector(wants_the_new_one)) as hook:
        assert await sent(hook.url, header_files={"X-Token": token}) == Delivered()
    assert len(hook.requests) == 2


async def test_tls_is_verified(tmp_path: Path):
    made = await asyncio.to_thread(make_certificates, tmp_path)
    async with serving(ScriptedCollector(status(200)), made.server_context()) as hook:
        failed = await sent(hook.url)
        assert isinstance(failed, Retry)
        assert failed.pause
        assert await sent(hook.url, ca_file=made.authority) == Delivered()
        assert await sent(hook.url, verify_tls=False) == Delivered()
    assert len(hook.requests) == 2


async def test_a_closed_target_opens_anew():
    async with serving(ScriptedCollector(status(200))) as hook:
        target = WebhookTarget(WebhookTargetOptions(name="hook", url=hook.url), Worker(Jobs(), "hook"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        for _ in range(2):
            assert await target.send(MESSAGE) == Delivered()
            await target.close()
