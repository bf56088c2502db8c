"""Against a real rsyslogd: what counts as delivered is in its file, entry by entry and byte for byte.

It is started where `scripts/dev.py servers` could unpack Debian's packages. It takes messages apart itself: header,
structured data and text as it read them are compared with what was logged.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.certificates import Certificates
from support.eventually import eventually
from support.real_servers import Rsyslog
from support.running_logger import ids, logging_to
from support.syslog_receiver import read_message

from metaexpert.logger import LoggingRuntime, MemoryOptions, SyslogOptions, get_logger
from metaexpert.logger.sinks.memory import MemorySink

pytestmark = pytest.mark.slow

log = get_logger("real.syslog")
SECONDS = 30.0


def runtime_to(daemon: Rsyslog, folder: Path, **more: Any) -> LoggingRuntime:
    """A runtime that sends to the daemon, and keeps all in memory too."""
    values: dict[str, Any] = {"host": "127.0.0.1", "port": daemon.port, "max_message_bytes": 60_000}
    values |= {"backoff_first": 0.05, "backoff_max": 0.2, "batch_max_age": 0.05, **more}
    memory = MemoryOptions(max_entries=100_000)
    return logging_to(SyslogOptions(**values), memory, log_dir=folder, shutdown_timeout=20.0)


def kept(runtime: LoggingRuntime) -> list[dict[str, Any]]:
    """What the memory sink has."""
    memory = runtime.sinks["memory"]
    assert isinstance(memory, MemorySink)
    return memory.entries


def id_of(message: dict[str, str]) -> str:
    """The entry id in the structured data, as rsyslog took it out of the message."""
    return read_message(f"<0>1 - - - - - {message['sd']}".encode()).id


def log_all_kinds(count: int) -> None:
    """Entries of all kinds."""
    for number in range(count):
        log.log(10 * (1 + number % 5), "n %d", number, symbol="BTCUSDT", order_id=number)
    log.trade.order_placed(order_id='a]b"c\\d', symbol="BTCUSDT", side="BUY", quantity="0.1", price="1.50")
    log.info('quote " ] newline \n emoji 😀 surrogate \ud800 <13>1 - - -', order_id='x" injected="1')
    log.error("failed", exc_info=ValueError("no price"))


async def test_over_tcp_every_entry_arrives_as_it_was(rsyslog: Rsyslog, tmp_path: Path):
    async with runtime_to(rsyslog, tmp_path) as runtime:
        log_all_kinds(1000)
        assert await runtime.flush(timeout=SECONDS)
        written = kept(runtime)
    await eventually(lambda: len(rsyslog.received) >= len(written), SECONDS)
    compared(rsyslog.received, written)


def compared(received: list[dict[str, str]], written: list[dict[str, Any]]) -> None:
    """Each entry arrived once, and rsyslog read of it what was logged."""
    assert Counter(map(id_of, received)) == Counter(ids(written))
    by_id = {entry["id"]: entry for entry in written}
    severities = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
    for message in received:
        entry = by_id[id_of(message)]
        assert orjson.loads(message["text"]) == entry
        assert message["pri"] == str(16 * 8 + severities[entry["level"]])
        assert (message["app"], message["msgid"]) == ("tests", entry["log_type"])
        assert message["time"] == f"{entry['timestamp'][:26]}Z"
        fields = {**entry.get("extra", {}), **entry.get("trade_data", {})}
        (parameters,) = read_message(f"<0>1 - - - - - {message['sd']}".encode()).sd.values()
        assert parameters.get("order_id") == (str(fields["order_id"]) if "order_id" in fields else None)
        assert parameters["logger"] == entry["logger"]
        assert "injected" not in parameters


async def test_over_udp_of_this_machine_every_entry_arrives(rsyslog: Rsyslog, tmp_path: Path):
    async with runtime_to(rsyslog, tmp_path, transport="udp") as runtime:
        log_all_kinds(50)  # no more than the receiving socket has room for, however late it is read
        assert await runtime.flush(timeout=SECONDS)
        written = kept(runtime)
    await eventually(lambda: len(rsyslog.received) >= len(written), SECONDS)
    compared(rsyslog.received, written)


async def test_over_tls_with_a_client_certificate_every_entry_arrives(
    rsyslog_tls: Rsyslog, certificates: Certificates, tmp_path: Path
):
    tls = {"transport": "tls", "ca_file": certificates.authority}
    own = {"client_cert_file": certificates.client, "client_key_file": certificates.client_key}
    async with runtime_to(rsyslog_tls, tmp_path, **tls, **own) as runtime:
        log_all_kinds(500)
        assert await runtime.flush(timeout=SECONDS)
        written = kept(runtime)
    await eventually(lambda: len(rsyslog_tls.received) >= len(written), SECONDS)
    compared(rsyslog_tls.received, written)


async def test_over_tls_without_a_client_certificate_nothing_counts_as_delivered(
    rsyslog_tls: Rsyslog, certificates: Certificates, tmp_path: Path
):
    async with runtime_to(rsyslog_tls, tmp_path, transport="tls", ca_file=certificates.authority) as runtime:
        log.info("waits")
        await eventually(lambda: (runtime.stats().sinks["syslog"].last_error or "") != "", SECONDS)
        assert runtime.stats().sinks["syslog"].ledger.delivered == 0


@pytest.mark.parametrize("end", [Rsyslog.stop, Rsyslog.kill])
async def test_over_tcp_nothing_is_lost_while_the_daemon_ends_and_begins_again(
    rsyslog: Rsyslog, tmp_path: Path, end: Callable[[Rsyslog], None]
):
    """At least once: what a dead daemon may have had unread is sent again, and found under its id."""
    async with runtime_to(rsyslog, tmp_path) as runtime:
        for life in range(3):
            for number in range(700):
                log.info("life %d, n %d", life, number, order_id=number)
                if number == 350:
                    assert await runtime.flush(timeout=SECONDS)
            end(rsyslog)
            log.warning("while it was away, %d", life)
            rsyslog.start()
        log.info("last")
        assert await runtime.flush(timeout=SECONDS)
        written = kept(runtime)
        assert runtime.stats().sinks["syslog"].ledger.balanced
    await eventually(lambda: {*map(id_of, rsyslog.received)} >= {*ids(written)}, SECONDS)
    by_id = {entry["id"]: entry for entry in written}
    for message in rsyslog.received:
        assert orjson.loads(message["text"]) == by_id[id_of(message)]
