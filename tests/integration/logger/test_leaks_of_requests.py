"""No byte of a secret gets to a disk or a wire through traced requests, or through what is held back."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from support.leaks import LEAKS, all_bytes, seen_in
from support.running_logger import logging_to
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.logger import (
    FileOptions,
    HeldBackOptions,
    LokiOptions,
    get_logger,
    log_context,
    request_tracing,
    trace,
    trace_middleware,
)
from metaexpert.logger.measuring import meters

log = get_logger("leaks.requests")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def refuse(_request: web.Request) -> web.Response:
    """An exchange's refusal, by which the request is told; and an entry of the receiving side."""
    log.info("asked")
    return web.json_response({"code": -1013, "msg": "no"}, status=400)


@contextmanager
def nobody() -> Generator[str]:
    """An address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


async def leak_in_requests(addresses: list[str]) -> None:
    """Every leak in path, query, user's part, headers, baggage and body, each to be refused."""
    async with aiohttp.ClientSession(trace_configs=[request_tracing(log, entries=True)]) as session:
        for leak in LEAKS:
            line = " ".join(leak.text.split())
            printable = line.encode("ascii", "replace").decode()
            headers = {"X-Note": printable, "Authorization": printable, "baggage": quote(line), "tracestate": "v=1"}
            for address in addresses:
                path = f"{address}/notes/{quote(leak.text, safe='')}"
                with trace(TRACEPARENT, f"vendor={quote(line)[:200]}"):
                    try:
                        await session.post(path, params={"note": leak.text}, headers=headers, data=leak.text)
                    except aiohttp.ClientError:
                        continue


@pytest.mark.parametrize("json_logging", [True, False], ids=["json", "text"])
async def test_no_byte_of_a_secret_leaks_through_requests(
    tmp_path: Path, json_logging: bool, capfd: pytest.CaptureFixture[str]
):
    app = web.Application(middlewares=[trace_middleware])
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with serving(ScriptedCollector(status(204))) as collector:
        runtime = logging_to(
            FileOptions(path=tmp_path / "expert.log", json_logging=json_logging),
            LokiOptions(url=collector.url),
            log_dir=tmp_path,
            log_to_console=True,
            journal={"enabled": True, "recorder_level": "DEBUG"},
        )
        async with runtime:
            with nobody() as address:
                await leak_in_requests([f"http://127.0.0.1:{runner.addresses[0][1]}", address])
            await runtime.flush(5.0)
        on_wire = b"".join(request.body for request in collector.requests)
    await runner.cleanup()
    shown = "".join(capfd.readouterr()).encode()
    on_disk = all_bytes(tmp_path)
    assert on_disk.count(b"request failed") >= 2 * len(LEAKS)
    names = " ".join([*meters.timers(), *meters.counters()]).encode()
    for where, data in (("disk", on_disk), ("wire", on_wire), ("console", shown), ("meters", names)):
        assert [leak.kind for leak in seen_in(data)] == [], where


async def test_no_byte_of_a_secret_leaks_through_what_was_held_back(tmp_path: Path):
    async def fails() -> None:
        for leak in LEAKS:
            with log_context(note=leak.text):
                log.bind(other=leak.text).debug(leak.text, field=leak.text)
                log.debug("said %s", leak.text, raw={"answer": leak.text})
        log.error("failed")

    runtime = logging_to(
        FileOptions(path=tmp_path / "expert.log", json_logging=True),
        log_dir=tmp_path,
        log_level="INFO",
        buffer_until_error=HeldBackOptions(max_entries=1000, max_bytes=8_000_000),
        journal={"enabled": True, "recorder_level": "DEBUG"},
    )
    async with runtime:
        await asyncio.create_task(fails())
        await runtime.flush(5.0)
        on_disk = all_bytes(tmp_path)  # the flight recorder as well
    assert on_disk.count(b'"held_back":true') >= 2 * len(LEAKS)
    assert [leak.kind for leak in seen_in(on_disk)] == []
