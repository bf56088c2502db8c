"""Syslog: messages as RFC 5424 has them, and what becomes of them over each transport."""

import logging
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import Certificates, make_certificates
from support.eventually import eventually
from support.running_logger import logging_to, sink_stats, unbalanced
from support.syslog_receiver import DatagramReceiver, Message, StreamReceiver, counted, ended, read_message

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, LoggingRuntime, SyslogOptions, get_logger
from metaexpert.logger.configuring.check import findings
from metaexpert.logger.entry import Capture
from metaexpert.logger.formats.json_lines import JsonLines
from metaexpert.logger.formats.syslog import FACILITIES, SyslogMessages, parameter_name, severity
from metaexpert.logger.identity import Identity
from metaexpert.logger.sinks.syslog_streams import Window
from metaexpert.logger.testing.entries import new_entry
from metaexpert.logger.testing.hostile import hostile_entries

IDENTITY = Identity(service="ema-cross", boot_id="0194f0c2a1bcdef12", pid=4242, host="bot-7")
SECONDS = 20.0

log = get_logger("contract.syslog")


def message_of(entry: Capture, **more: Any) -> Message:
    """The entry's message, as a strict reader takes it apart."""
    return read_message(encoded(entry, **more))


def encoded(entry: Capture, **more: Any) -> bytes:
    """The entry's message."""
    identity = more.pop("identity", IDENTITY)
    values: dict[str, Any] = {
        "facility": "local0",
        "sd_id": "metaexpert@32473",
        "fields": ("symbol", "order_id"),
        "max_bytes": 8192,
    }
    return SyslogMessages(identity, JsonLines(identity), **{**values, **more})(entry)


# ---- messages --------------------------------------------------------------------------------------------------------


def test_a_message_says_who_when_and_what():
    entry = new_entry("filled", symbol="BTCUSDT", order_id=42)
    told = message_of(entry)
    assert (told.facility, told.severity, told.host, told.app, told.pid) == (16, 6, "bot-7", "ema-cross", "4242")
    assert told.msgid == "general"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told.time)
    assert orjson.loads(told.text)["timestamp"].startswith(told.time[:-1])
    parameters = {"id": IDENTITY.entry_id(entry[0]), "logger": entry[3], "symbol": "BTCUSDT", "order_id": "42"}
    assert told.sd == {"metaexpert@32473": parameters}
    assert orjson.loads(told.text) == orjson.loads(JsonLines(IDENTITY)(entry))
    assert not told.has_bom


@pytest.mark.parametrize("entry", [pytest.param(entry, id=kind) for kind, entry in hostile_entries()])
@pytest.mark.parametrize("max_bytes", [1024, 60_000])
def test_any_entry_keeps_the_grammar_and_the_length(entry: Capture, max_bytes: int):
    data = encoded(entry, max_bytes=max_bytes)
    assert len(data) <= max_bytes
    assert read_message(data).id == IDENTITY.entry_id(entry[0])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.text(max_size=60))
def test_no_host_name_or_field_leaves_its_place(name: str, value: str):
    identity = Identity(service=name, boot_id="b", pid=1, host=name)
    fields: dict[str, Any] = {"symbol": value, f" {name}": value}
    told = message_of(new_entry("m", **fields), identity=identity, fields=fields)
    (parameters,) = told.sd.values()
    assert parameters.keys() <= {"id", "logger", "symbol", parameter_name(f" {name}")}
    assert told.pid == "1"


def test_severities_and_facilities_are_those_of_the_standard():
    levels = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
    assert {name: severity(getattr(logging, name)) for name in levels} == levels
    assert (severity(25), severity(0)) == (5, 7)
    assert (FACILITIES.index("user"), FACILITIES.index("local0"), FACILITIES.index("local7")) == (1, 16, 23)


@pytest.mark.parametrize("spare", range(8))
def test_a_message_that_is_too_long_ends_at_a_whole_character_and_says_so(spare: int):
    entry = new_entry("é€😀" * 2000)
    whole = encoded(entry, max_bytes=60_000)
    data = encoded(entry, max_bytes=2048 + spare)
    told = read_message(data)
    assert 2048 + spare - 30 < len(data) <= 2048 + spare
    assert told.sd["metaexpert@32473"]["truncated"] == str(len(whole))
    assert read_message(whole).text.startswith(told.text)
    told.text.decode()


def test_a_byte_order_mark_stands_before_text_and_never_before_json():
    assert SyslogOptions(format="text").marks_utf8
    assert not SyslogOptions().marks_utf8
    assert SyslogOptions(bom=True).marks_utf8
    assert message_of(new_entry("é"), bom=True).has_bom


# ---- transports ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Any:
    """A folder with a name short enough for a socket's."""
    with TemporaryDirectory(prefix="sl-") as made:
        yield Path(made)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[StreamReceiver]:
    """A receiver over TCP with octet counting."""
    async with StreamReceiver() as started:
        yield started


def options(port: int, **more: Any) -> SyslogOptions:
    """A sink that cuts its batches only on flush, and tries again at once."""
    values: dict[str, Any] = {"host": "127.0.0.1", "port": port, "batch_max_age": 30.0}
    values |= {"backoff_first": 0.01, "backoff_max": 0.02, **more}
    return SyslogOptions(**values)


async def delivered(runtime: LoggingRuntime) -> None:
    """See that all is delivered."""
    assert await runtime.flush(timeout=SECONDS)
    assert not unbalanced(runtime)


def texts(messages: list[bytes]) -> Counter[str]:
    """How often each entry's message is there."""
    return Counter(orjson.loads(read_message(each).text)["message"] for each in messages)


async def test_a_message_of_lines_stays_one_with_octet_counting(receiver: StreamReceiver):
    async with logging_to(options(receiver.port, format="text")) as runtime:
        log.error("failed", exc_info=ValueError("two\nlines"))
        await delivered(runtime)
    (message,) = receiver.messages
    assert b"\n" in message


async def test_with_newlines_as_frames_a_message_has_none_of_its_own():
    async with StreamReceiver(framed=ended) as receiver:
        async with logging_to(options(receiver.port, format="text", framing="lf")) as runtime:
            log.error("failed", exc_info=ValueError("two\nlines"))
            log.info("next")
            await delivered(runtime)
        first, second = map(read_message, receiver.messages)
    assert b"ValueError: two\\n" in first.text
    assert second.text.endswith(b"next")


@pytest.mark.parametrize("is_reset", [True, False], ids=["reset", "closed"])
async def test_what_was_delivered_last_is_sent_again_when_the_connection_breaks(is_reset: bool):
    """The receiver may have died with it unread: at least once, under the same id."""
    async with StreamReceiver() as receiver:
        async with logging_to(options(receiver.port)) as runtime:
            log.info("before")
            await delivered(runtime)
            await eventually(lambda: receiver.messages)
            await receiver.stop(reset=is_reset)
            await receiver.listen()
            log.info("after")
            await delivered(runtime)
        assert texts(receiver.messages) == {"before": 2, "after": 1}
        assert len({read_message(each).id for each in receiver.messages}) == 2


async def test_without_a_window_nothing_is_sent_again():
    async with StreamReceiver() as receiver:
        async with logging_to(options(receiver.port, resend_bytes=0)) as runtime:
            log.info("before")
            await delivered(runtime)
            await eventually(lambda: receiver.messages)
            await receiver.stop()
            await receiver.listen()
            log.info("after")
            await delivered(runtime)
        assert texts(receiver.messages) == {"before": 1, "after": 1}


async def test_a_receiver_that_died_with_all_unread_gets_all_again():
    """It reads nothing, its system acknowledges: what counts as delivered was never read by anybody."""
    async with StreamReceiver() as receiver:
        async with logging_to(options(receiver.port)) as runtime:
            log.info("first")
            await delivered(runtime)
            await eventually(lambda: receiver.messages)
            receiver.hold()
            for number in range(200):
                log.info("n %d", number)
            await delivered(runtime)
            await receiver.stop(reset=True)
            receiver.go_on()
            await receiver.listen()
            log.info("last")
            await delivered(runtime)
        assert texts(receiver.messages).keys() == {"first", "last", *(f"n {number}" for number in range(200))}


async def test_a_stop_in_good_order_leaves_nothing_to_send_again(receiver: StreamReceiver):
    sink = options(receiver.port)
    for name in ("one", "two"):
        async with logging_to(sink) as runtime:
            log.info(name)
            await delivered(runtime)
    assert texts(receiver.messages) == {"one": 1, "two": 1}
    assert len(receiver.streams) == 2


async def test_a_port_that_answers_is_no_syslog_receiver():
    greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with (
        StreamReceiver(greeting=greeting) as receiver,
        logging_to(options(receiver.port), shutdown_timeout=0.1) as runtime,
    ):
        for _ in range(3):
            log.info("waits")
            await runtime.flush(timeout=0.1)
        await eventually(lambda: "no syslog receiver" in (sink_stats(runtime).last_error or ""), SECONDS)


async def test_while_nobody_listens_entries_wait_on_disk_and_arrive_later(tmp_path: Path):
    async with StreamReceiver() as receiver:
        await receiver.stop()
        async with logging_to(options(receiver.port), log_dir=tmp_path, shutdown_timeout=0.2) as runtime:
            for number in range(50):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.1)
        assert sink_stats(runtime).ledger.spooled >= 50
        await receiver.listen()
        async with logging_to(options(receiver.port), log_dir=tmp_path) as runtime:
            await eventually(lambda: sink_stats(runtime).ledger.delivered >= 50, SECONDS)
            await delivered(runtime)
        await receiver.drained()
        assert {f"n {number}" for number in range(50)} <= texts(receiver.messages).keys()


async def test_datagrams_go_one_by_one_and_a_closed_port_costs_none():
    async with DatagramReceiver() as receiver:
        await receiver.stop()
        async with logging_to(options(receiver.port, transport="udp")) as runtime:
            for number in range(20):
                log.info("n %d", number)
            assert not await runtime.flush(timeout=0.1)
            assert "refused" in (sink_stats(runtime).last_error or "")
            await receiver.listen()
            await delivered(runtime)
            await receiver.drained()
        assert texts(receiver.messages).keys() == {f"n {number}" for number in range(20)}


@pytest.mark.parametrize("kind", ["datagrams", "stream"])
async def test_a_local_socket_is_taken_as_it_is(folder: Path, kind: str):
    path = folder / "log"
    made = DatagramReceiver(path) if kind == "datagrams" else StreamReceiver(path, framed=ended)
    async with made as receiver:
        sink = SyslogOptions(transport="unix", socket_path=path, batch_max_age=30.0)
        async with logging_to(sink) as runtime:
            log.info("here")
            await delivered(runtime)
            await receiver.drained()
        assert texts(receiver.messages) == {"here": 1}


# ---- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Throw-away ones."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def test_tls_verifies_the_receiver_and_shows_a_certificate(certificates: Certificates):
    tls = {"transport": "tls", "ca_file": certificates.authority}
    own = {"client_cert_file": certificates.client, "client_key_file": certificates.client_key}
    async with StreamReceiver(context=certificates.server_context(wants_client=True)) as receiver:
        async with logging_to(options(receiver.port, **tls, **own)) as runtime:
            log.info("here")
            await delivered(runtime)
        await receiver.drained()
        assert texts(receiver.messages) == {"here": 1}


async def test_a_receiver_that_wants_a_certificate_gets_nothing_without(certificates: Certificates):
    """In TLS 1.3 it says so only after the handshake: nothing must count as delivered before."""
    async with StreamReceiver(context=certificates.server_context(wants_client=True)) as receiver:
        sink = options(receiver.port, transport="tls", ca_file=certificates.authority)
        async with logging_to(sink, shutdown_timeout=0.1) as runtime:
            log.info("waits")
            await runtime.flush(timeout=0.1)
            await eventually(lambda: sink_stats(runtime).last_error, SECONDS)
            assert sink_stats(runtime).ledger.delivered == 0


async def test_a_certificate_nobody_vouches_for_gets_nothing(certificates: Certificates):
    async with StreamReceiver(context=certificates.server_context()) as receiver:
        async with logging_to(options(receiver.port, transport="tls"), shutdown_timeout=0.1) as runtime:
            log.info("waits")
            await runtime.flush(timeout=0.1)
            await eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in (sink_stats(runtime).last_error or ""), SECONDS)
            assert sink_stats(runtime).state == "failed"
        assert receiver.messages == []


# ---- the window ------------------------------------------------------------------------------------------------------


def test_the_window_keeps_what_it_has_to_and_not_much_more():
    now = 0.0
    window = Window(10, 30.0, lambda: now)
    for letter in (b"aaaa", b"bbbb", b"cccc", b"dddd"):
        window.add(letter)
        now += 20.0
    assert window.content() == b"bbbbccccdddd"
    window.closed()
    assert window.content() == b"dddd"
    window.clear()
    assert window.content() == b""


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"sd_id": "metaexpert"}, "private enterprise number"),
        ({"sd_id": 'a"b@1'}, "private enterprise number"),
        ({"host": "logs.example:601 x"}, "without a port"),
        ({"transport": "udp", "framing": "lf"}, "framing is of streams"),
        ({"transport": "udp", "max_message_bytes": 70_000}, "65507"),
        ({"ca_file": "x.pem"}, 'need transport = "tls"'),
        ({"transport": "unix", "host": "x"}, "socket_path"),
        ({"socket_path": "/x"}, 'transport = "unix"'),
        ({"facility": "local8"}, "facility"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_remedy(values: dict[str, Any], told: str):
    with pytest.raises(ConfigError, match=re.escape(told)):
        SyslogOptions(**values)


def test_a_check_tells_of_files_that_cannot_be_used_and_of_plain_text_over_a_network(tmp_path: Path):
    missing = SyslogOptions(transport="tls", ca_file=tmp_path / "missing.pem")
    plain = SyslogOptions(name="plain", host="logs.example")
    found = findings(LoggerConfig(log_dir=tmp_path, sinks=(missing, plain)))
    assert any("missing.pem" in error for error in found.errors)
    assert any("not encrypted" in warning and "sinks.1" in warning for warning in found.warnings)


def test_frames_are_counted_in_bytes():
    assert list(counted(b"5 \xc3\xa9abc2 xy")) == [b"\xc3\xa9abc", b"xy"]
