"""What holds for every collector reached over HTTP: credentials, TLS, connections, compression, missing answers."""

import asyncio
import base64
import gzip
import shutil
import socket
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from support.certificates import Certificates, make_certificates
from support.eventually import eventually
from support.hec import TOKEN
from support.notices import told
from support.running_logger import logging_to, sink_stats
from support.scripted_collector import Received, Reply, ScriptedCollector, documents, serving, status

from metaexpert.logger import (
    ElasticsearchOptions,
    HttpOptions,
    LokiOptions,
    NdjsonOptions,
    OtlpOptions,
    SplunkOptions,
    get_logger,
)
from metaexpert.logger.sinks.http import MAX_ANSWER_BYTES

log = get_logger("contract.http")

GIGABYTE = 1024**3
AUTHENTICATION = {"username", "bearer_token", "bearer_token_file", "api_key", "api_key_file", "token", "token_file"}
"""Options one of which Splunk has to have."""


class Kind:
    """One protocol: its options, and the answer that accepts everything.

    Attributes:
        accepts: stores each request as a whole.
        accepted: the requests so stored.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.accepted: list[Received] = []

    async def accepts(self, _request: web.Request, received: Received) -> web.StreamResponse:
        self.accepted.append(received)
        if self.name == "splunk":
            return web.json_response({"text": "Success", "code": 0})
        if self.name != "elasticsearch":
            return web.Response(status=204)
        items = [{document.action: {"status": 201}} for document in documents(received)]
        return web.json_response({"errors": False, "items": items})

    def options(self, url: str, **more: Any) -> HttpOptions:
        values: dict[str, Any] = {"batch_max_age": 30.0, "backoff_first": 0.01, "backoff_max": 0.02, "timeout": 5.0}
        values |= {"url": url, **more}
        if self.name == "splunk" and not AUTHENTICATION.intersection(more):
            values["token"] = TOKEN
        return KINDS[self.name](**values)


KINDS = {
    "loki": LokiOptions,
    "elasticsearch": ElasticsearchOptions,
    "ndjson": NdjsonOptions,
    "otlp": OtlpOptions,
    "splunk": SplunkOptions,
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


@pytest_asyncio.fixture
async def server(kind: Kind) -> AsyncIterator[ScriptedCollector]:
    async with serving(ScriptedCollector(kind.accepts)) as collector:
        yield collector


async def log_and_flush(*sinks: Any, entries: int = 3, **config: Any) -> None:
    async with logging_to(*sinks, **config) as runtime:
        for number in range(entries):
            log.info("n %d", number)
        assert await runtime.flush(timeout=4.0)
        assert sink_stats(runtime).ledger.delivered == entries


class TestCredentials:
    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ({}, None),
            (
                {"username": "bot", "password": "pä:ss"},
                "Basic " + base64.b64encode("bot:pä:ss".encode()).decode(),
            ),
            ({"bearer_token": "tok-1"}, "Bearer tok-1"),
            ({"api_key": "a2V5"}, "ApiKey a2V5"),
        ],
        ids=["none", "basic", "bearer", "api key"],
    )
    async def test_authorization(
        self, kind: Kind, server: ScriptedCollector, more: dict[str, str], expected: str | None
    ):
        if kind.name == "splunk" and not more:
            expected = f"Splunk {TOKEN}"  # Splunk knows no collector that is open to all
        await log_and_flush(kind.options(server.url, **more))
        assert server.requests[0].headers.get("Authorization") == expected

    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("password_file", "Basic " + base64.b64encode(b"bot:one").decode()),
            ("bearer_token_file", "Bearer one"),
            ("api_key_file", "ApiKey one"),
        ],
    )
    async def test_secrets_come_from_files(
        self, kind: Kind, server: ScriptedCollector, tmp_path: Path, field: str, expected: str
    ):
        more = {"username": "bot"} if field == "password_file" else {}
        (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfone\r\n")
        (tmp_path / "route").write_text("blue\n")
        files = {field: tmp_path / "secret", "header_files": {"X-Route": tmp_path / "route"}}
        await log_and_flush(kind.options(server.url, **more, **files))
        assert server.requests[0].headers["Authorization"] == expected
        assert server.requests[0].headers["X-Route"] == "blue"

    @pytest.mark.parametrize("code", [401, 403])
    async def test_a_secret_changed_in_its_file_is_taken_up_when_the_old_one_is_refused(
        self, kind: Kind, server: ScriptedCollector, tmp_path: Path, code: int
    ):
        secret = tmp_path / "secret"
        secret.write_text("one\n")

        async def only_two(request: web.Request, received: Received) -> web.StreamResponse:
            if received.headers["Authorization"] != "Bearer two":
                return await status(code, "no")(request, received)
            return await kind.accepts(request, received)

        server.default = only_two
        options = kind.options(server.url, bearer_token_file=secret, backoff_max=30.0, backoff_first=30.0)
        async with logging_to(options) as runtime:
            server.default = kind.accepts
            log.info("first")
            assert await runtime.flush(timeout=4.0)
            server.default = only_two
            secret.write_text("two\n")
            log.info("second")
            assert await runtime.flush(timeout=4.0), "without waiting for the backoff"
            assert sink_stats(runtime).retries == 0
        sent = [request.headers["Authorization"] for request in server.requests]
        assert sent == ["Bearer one", "Bearer one", "Bearer two"]

    async def test_a_secret_that_did_not_change_is_not_sent_twice_in_a_row(
        self, kind: Kind, server: ScriptedCollector, tmp_path: Path
    ):
        (tmp_path / "secret").write_text("one")
        server.then(status(401, "who?"))
        await log_and_flush(kind.options(server.url, bearer_token_file=tmp_path / "secret"))
        assert len(server.requests) == 2, "the refused one, and the one after the wait"

    async def test_while_a_secret_cannot_be_read_entries_wait(
        self, kind: Kind, server: ScriptedCollector, tmp_path: Path
    ):
        secret = tmp_path / "secret"
        async with logging_to(kind.options(server.url, bearer_token_file=secret)) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert f"bearer_token_file: the file {str(secret)!r}" in (sink_stats(runtime).last_error or "")
            assert server.requests == []
            secret.write_text("one")
            assert await runtime.flush(timeout=4.0)
            assert sink_stats(runtime).ledger.delivered == 1

    async def test_a_secret_that_vanishes_while_it_is_refused_changes_nothing(
        self, kind: Kind, server: ScriptedCollector, tmp_path: Path
    ):
        secret = tmp_path / "secret"
        secret.write_text("one")

        async def refuse_and_remove(request: web.Request, received: Received) -> web.StreamResponse:
            secret.unlink()
            return await status(401, "no")(request, received)

        server.then(refuse_and_remove)
        await log_and_flush(kind.options(server.url, bearer_token_file=secret))
        assert [request.headers["Authorization"] for request in server.requests] == ["Bearer one", "Bearer one"]

    async def test_the_tenant_is_named_only_when_configured(self, kind: Kind, server: ScriptedCollector):
        await log_and_flush(kind.options(server.url, tenant="desk-7"))
        await log_and_flush(kind.options(server.url))
        first, second = server.requests
        assert first.headers["X-Scope-OrgID"] == "desk-7"
        assert "X-Scope-OrgID" not in second.headers

    async def test_further_headers_are_sent(self, kind: Kind, server: ScriptedCollector):
        await log_and_flush(kind.options(server.url, headers={"X-Route": "blue"}))
        assert server.requests[0].headers["X-Route"] == "blue"

    @pytest.mark.parametrize(
        ("more", "header", "expected"),
        [
            ({"bearer_token": "tok-1\n"}, "Authorization", "Bearer tok-1"),
            ({"api_key": "a2V5\r\n"}, "Authorization", "ApiKey a2V5"),
            ({"tenant": "desk-7\n"}, "X-Scope-OrgID", "desk-7"),
            ({"headers": {"X-Route": "blue\n"}}, "X-Route", "blue"),
        ],
        ids=["bearer", "api key", "tenant", "header"],
    )
    async def test_the_newline_of_a_secrets_file_stops_no_request(
        self, kind: Kind, server: ScriptedCollector, more: dict[str, Any], header: str, expected: str
    ):
        await log_and_flush(kind.options(server.url, **more))
        assert server.requests[0].headers[header] == expected

    @pytest.mark.parametrize(
        "credentials",
        [
            {"bearer_token": "s3cret-token"},
            {"api_key": "s3cret-token"},
            {"username": "bot", "password": "s3cret-token"},
            {"headers": {"X-Key": "s3cret-token", "Authorization": "Basic not base64"}},
        ],
        ids=["bearer", "api key", "basic", "headers"],
    )
    async def test_secrets_show_in_no_statistics_and_no_notice(
        self, kind: Kind, server: ScriptedCollector, credentials: dict[str, Any], capfd: pytest.CaptureFixture[str]
    ):
        """Not even where the collector repeats what it was sent, decoded or not."""

        async def repeat(request: web.Request, _received: Received) -> web.StreamResponse:
            sent = [request.headers[name] for name in ("Authorization", "X-Key") if name in request.headers]
            return web.Response(status=401, text=f"no: {sent} s3cret-token")

        server.default = repeat
        options = kind.options(server.url, backoff_max=30.0, **credentials)
        async with logging_to(options, shutdown_timeout=0.05) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            said = await told(capfd)
            assert "failed" in said
            shown = f"{runtime.stats()} {runtime.config!r} {said}"
            assert "s3cret" not in shown
            assert base64.b64encode(b"bot:s3cret-token").decode() not in shown
            assert "no: " in said


class TestConnections:
    async def test_many_batches_share_one_connection(self, kind: Kind, server: ScriptedCollector):
        async with logging_to(kind.options(server.url)) as runtime:
            for number in range(8):
                log.info("n %d", number)
                assert await runtime.flush()
        assert len(server.requests) == 8
        assert len(server.connections) == 1

    async def test_a_failing_answer_keeps_the_connection_too(self, kind: Kind, server: ScriptedCollector):
        server.then(status(503, "busy"), status(429, "slower"))
        await log_and_flush(kind.options(server.url))
        assert len(server.requests) == 3
        assert len(server.connections) == 1

    async def test_nothing_connects_before_there_is_something_to_send(self, kind: Kind, server: ScriptedCollector):
        async with logging_to(kind.options(server.url)) as runtime:
            assert await runtime.flush()
        assert server.requests == []


class TestNames:
    @pytest.fixture
    def threads(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The threads that asked for the address of collector.test, which is this machine."""
        asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
            if host == "nowhere.test":
                asked.append(threading.current_thread().name)
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            if host != "collector.test":
                return real(host, *more, **named)
            asked.append(threading.current_thread().name)
            return real("127.0.0.1", *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    async def test_they_are_looked_up_in_the_sinks_own_thread(
        self, kind: Kind, server: ScriptedCollector, threads: list[str]
    ):
        """The loop's default executor is the user's: full, or with a slow lookup in it, it would hold both up."""
        await log_and_flush(kind.options(server.url.replace("127.0.0.1", "collector.test")))
        assert server.requests[0].headers["Host"].startswith("collector.test:")
        assert set(threads) == {f"metaexpert-{kind.name}"}
        assert vars(asyncio.get_running_loop())["_default_executor"] is None

    async def test_one_that_is_not_known_is_a_retry(self, kind: Kind, threads: list[str]):
        async with logging_to(kind.options("http://nowhere.test:3100"), shutdown_timeout=0.05) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).retries >= 2)
            stats = sink_stats(runtime)
            assert "cannot connect" in (stats.last_error or "")
            assert (stats.ledger.in_flight, stats.ledger.dropped_total) == (1, 0)
        assert set(threads) == {f"metaexpert-{kind.name}"}


class TestCompression:
    async def test_a_body_from_the_threshold_on_is_valid_gzip(self, kind: Kind, server: ScriptedCollector):
        await log_and_flush(kind.options(server.url, gzip_min_bytes=2_000), entries=1)
        await log_and_flush(kind.options(server.url, gzip_min_bytes=2_000), entries=50)
        plain, packed = server.requests
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.raw) < len(gzip.decompress(packed.raw)) / 3

    async def test_compressed_bytes_are_identical_on_every_attempt(self, kind: Kind, server: ScriptedCollector):
        server.then(status(503), server.close, status(429))
        await log_and_flush(kind.options(server.url, gzip_min_bytes=0), entries=1)
        assert len(server.requests) == 4
        assert len({request.raw for request in server.requests}) == 1


class TestNoAnswer:
    async def test_a_connection_closed_without_an_answer_is_a_retry(self, kind: Kind, server: ScriptedCollector):
        server.then(server.close)
        await log_and_flush(kind.options(server.url))
        assert len(server.requests) == 2
        assert len({request.raw for request in server.requests}) == 1

    async def test_bytes_that_are_no_http_are_a_retry(self, kind: Kind, server: ScriptedCollector):
        server.then(server.garbage)
        await log_and_flush(kind.options(server.url))
        assert len(server.requests) == 2

    async def test_a_hang_ends_with_the_timeout_and_is_a_retry(self, kind: Kind, server: ScriptedCollector):
        server.then(server.hang, server.hang)
        await log_and_flush(kind.options(server.url, timeout=0.1))
        assert len({request.raw for request in server.requests}) == 1
        assert len(server.requests) == 3

    async def test_a_server_that_is_not_there_is_a_retry(
        self, kind: Kind, server: ScriptedCollector, unused_tcp_port: int
    ):
        async with logging_to(kind.options(f"http://127.0.0.1:{unused_tcp_port}"), shutdown_timeout=0.05) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).retries >= 2)
            stats = sink_stats(runtime)
            assert "cannot connect" in (stats.last_error or "")
            assert (stats.ledger.in_flight, stats.ledger.dropped_total) == (1, 0)
        assert sink_stats(runtime).ledger.spooled == 1
        assert server.requests == []

    @pytest.mark.parametrize("code", [301, 302, 307, 308])
    async def test_a_redirect_is_not_followed_and_pauses(self, kind: Kind, server: ScriptedCollector, code: int):
        server.default = status(code, "", Location=f"{server.url}/elsewhere")
        options = kind.options(server.url, bearer_token="tok", backoff_max=30.0)
        async with logging_to(options, shutdown_timeout=0.05) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            assert sink_stats(runtime).ledger.in_flight == 1
        assert all("elsewhere" not in request.path for request in server.requests)

    @pytest.mark.parametrize("code", [200, 503])
    async def test_of_a_gigabyte_of_answer_only_the_beginning_is_read(
        self, kind: Kind, server: ScriptedCollector, code: int
    ):
        server.then(server.endless(code, GIGABYTE))
        await log_and_flush(kind.options(server.url))
        # what socket buffers and the client's read-ahead swallow lies on top of the bound
        assert server.sent_bytes < MAX_ANSWER_BYTES + 32 * 1024 * 1024


def in_seconds(_: float) -> str:
    return "1"


def as_date(seconds: float) -> str:
    # an HTTP date has whole seconds: up to one of them is lost
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 1), usegmt=True)


class TestRetryAfter:
    @pytest.mark.parametrize(("code", "told"), [(429, in_seconds), (503, as_date)], ids=["seconds", "date"])
    async def test_it_is_waited_for(self, kind: Kind, server: ScriptedCollector, code: int, told: Any):
        async def slower(request: web.Request, received: Received) -> web.StreamResponse:
            return await status(code, "slower", Retry_After=told(1.0))(request, received)

        server.then(slower)
        await log_and_flush(kind.options(server.url))
        first, second = server.requests
        assert 0.95 <= second.at - first.at < 5.0
        assert first.raw == second.raw

    @pytest.mark.parametrize("told", ["soon", "-5", "1.5.2", "Someday, 99 Foo 2026"])
    async def test_one_that_cannot_be_read_leaves_the_usual_wait(
        self, kind: Kind, server: ScriptedCollector, told: str
    ):
        server.then(status(429, "slower", Retry_After=told))
        await log_and_flush(kind.options(server.url))
        first, second = server.requests
        assert second.at - first.at < 0.9


class TestOperatorsErrors:
    @pytest.mark.parametrize(
        "refusal",
        [
            *(status(code, "what?") for code in (401, 403, 404, 405, 415)),
            status(400, 'remoteAddr: "127.0.0.1:5"; requestURI: /x; unsupported path requested: "/x"'),
            status(400, 'unsupported path requested: "/x"'),
            status(400, "error: invalid 'Content-Type'\n"),
        ],
        ids=["401", "403", "404", "405", "415", "victorialogs", "its-other-words", "fluent-bit"],
    )
    async def test_entries_wait_until_it_is_mended(self, kind: Kind, server: ScriptedCollector, refusal: Reply):
        server.then(refusal)
        await log_and_flush(kind.options(server.url))
        assert len({request.raw for request in server.requests}) == 1

    async def test_an_entry_that_is_echoed_does_not_look_like_one(self, kind: Kind, server: ScriptedCollector):
        """Else one message could hold up a sink for ever."""
        server.then(status(400, 'cannot parse line {"message":"unsupported path requested"}'))
        async with logging_to(kind.options(server.url)) as runtime:
            log.info("unsupported path requested")
            assert not await runtime.flush(timeout=4.0)
            assert sink_stats(runtime).ledger.rejected == 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is needed to make certificates")
    return make_certificates(tmp_path_factory.mktemp("tls"))


class TestTls:
    async def test_a_certificate_of_the_configured_authority_is_trusted(self, kind: Kind, certificates: Certificates):
        async with serving(ScriptedCollector(kind.accepts), certificates.server_context()) as server:
            await log_and_flush(kind.options(server.url, ca_file=certificates.authority))
            assert len(server.requests) == 1

    async def test_an_unknown_certificate_is_refused_and_nothing_is_sent(self, kind: Kind, certificates: Certificates):
        async with serving(ScriptedCollector(kind.accepts), certificates.server_context()) as server:
            async with logging_to(kind.options(server.url, backoff_max=30.0), shutdown_timeout=0.1) as runtime:
                log.error("now")
                await eventually(lambda: sink_stats(runtime).state == "failed")
                stats = sink_stats(runtime)
                assert "TLS" in (stats.last_error or "")
                assert (stats.ledger.in_flight, stats.ledger.dropped_total) == (1, 0)
            assert server.requests == []

    async def test_a_certificate_of_another_authority_is_refused(
        self, kind: Kind, certificates: Certificates, tmp_path: Path
    ):
        other = make_certificates(tmp_path)
        async with serving(ScriptedCollector(kind.accepts), other.server_context()) as server:
            options = kind.options(server.url, ca_file=certificates.authority, backoff_max=30.0)
            async with logging_to(options, shutdown_timeout=0.1) as runtime:
                log.error("now")
                await eventually(lambda: sink_stats(runtime).state == "failed")
            assert server.requests == []

    async def test_verification_is_off_only_on_request(self, kind: Kind, certificates: Certificates):
        async with serving(ScriptedCollector(kind.accepts), certificates.server_context()) as server:
            await log_and_flush(kind.options(server.url, verify_tls=False))
            assert len(server.requests) == 1

    async def test_a_client_certificate_is_shown(self, kind: Kind, certificates: Certificates):
        tls = certificates.server_context(wants_client=True)
        async with serving(ScriptedCollector(kind.accepts), tls) as server:
            options = kind.options(
                server.url,
                ca_file=certificates.authority,
                client_cert_file=certificates.client,
                client_key_file=certificates.client_key,
            )
            await log_and_flush(options)
            assert len(server.requests) == 1

    async def test_an_authority_file_that_is_not_there_pauses_and_drops_nothing(self, kind: Kind, tmp_path: Path):
        options = kind.options("https://127.0.0.1:1", ca_file=tmp_path / "none.pem", backoff_max=30.0)
        async with logging_to(options, shutdown_timeout=0.1) as runtime:
            log.error("now")
            await eventually(lambda: sink_stats(runtime).state == "failed")
            stats = sink_stats(runtime)
            assert stats.ledger.in_flight == 1
            assert "none.pem" in (stats.last_error or "")
