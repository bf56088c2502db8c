"""No byte of a secret reaches a disk or a wire, however a program leaks it: files, journal, disk queue, collector."""

import asyncio
import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from support.leaks import LEAKS, all_bytes, seen_in
from support.running_logger import logging_to
from support.scripted_collector import ScriptedCollector, serving, status

from metaexpert.logger import FileOptions, LokiOptions, get_logger, log_context

log = get_logger("leaks")
theirs = logging.getLogger("somebody.elses.library")


class Carrier:
    """Shows what it holds."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Carrier({self.text})"


def in_message(text: str) -> None:
    log.info(text)
    log.error(text)


def in_arguments(text: str) -> None:
    log.info("said %s", text)
    log.warning("%s and %r", text, Carrier(text))


def in_fields(text: str) -> None:
    log.info("field", note=text, deep={"list": [text, {"inner": text}]}, data=text.encode(), shown=Carrier(text))


def in_context(text: str) -> None:
    with log_context(note=text):
        log.bind(other=text).info("context")


def in_trade(text: str) -> None:
    log.trade.order_rejected(order_id=text, reason=text, raw={"answer": text})
    log.audit(text, note=text)


def in_exception(text: str) -> None:
    try:
        try:
            raise ValueError(text)  # noqa: TRY301 - to be the cause of the other
        except ValueError as error:
            error.add_note(text)
            raise RuntimeError(f"while {text}") from error
    except RuntimeError:
        log.exception("failed", stack_info=True)
        theirs.exception("theirs")


def in_others_records(text: str) -> None:
    theirs.warning(text)
    theirs.error("%s", text, extra={"note": text})


def in_a_warning(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(text, stacklevel=1)


WAYS = (in_message, in_arguments, in_fields, in_context, in_trade, in_exception, in_others_records, in_a_warning)


async def leak_everything(way: Callable[[str], None]) -> None:
    for leak in LEAKS:
        way(leak.text)
        await asyncio.sleep(0)


@pytest.mark.parametrize("json_logging", [True, False], ids=["json", "text"])
async def test_no_byte_of_a_secret_is_on_disk_or_on_the_wire(
    tmp_path: Path, json_logging: bool, capfd: pytest.CaptureFixture[str]
):
    async with serving(ScriptedCollector(status(204))) as collector:
        runtime = logging_to(
            FileOptions(path=tmp_path / "expert.log", json_logging=json_logging),
            LokiOptions(url=collector.url, name="there"),
            LokiOptions(url="http://127.0.0.1:9", name="away", backoff_first=0.01, backoff_max=0.02),
            log_dir=tmp_path,
            log_to_console=True,
            journal={"enabled": True, "recorder_level": "DEBUG"},
            shutdown_timeout=1.0,
        )
        async with runtime:
            for way in WAYS:
                await leak_everything(way)
            await runtime.flush(1.0)
            on_disk = all_bytes(tmp_path)  # journal and recorder as well
        on_wire = b"".join(request.body for request in collector.requests)
    on_disk += all_bytes(tmp_path)  # and the disk queue
    shown = "".join(capfd.readouterr()).encode()
    assert len(on_wire) > len(LEAKS) * 20
    for where, data in (("disk", on_disk), ("wire", on_wire), ("console", shown)):
        assert [leak.kind for leak in seen_in(data)] == [], where


async def test_handlers_of_others_see_none_either():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(note)s", defaults={"note": ""}))
    logging.getLogger("leaks").addHandler(handler)
    try:
        async with logging_to():
            for way in (in_message, in_arguments, in_fields, in_context, in_trade, in_exception):
                await leak_everything(way)
    finally:
        logging.getLogger("leaks").removeHandler(handler)
    assert [leak.kind for leak in seen_in(stream.getvalue().encode())] == []


def test_what_is_logged_before_the_start_is_clean_already(tmp_path: Path):
    for leak in LEAKS:
        in_message(leak.text)

    async def start() -> None:
        async with logging_to(FileOptions(path=tmp_path / "expert.log"), log_dir=tmp_path):
            pass

    asyncio.run(start())
    assert b"[REDACTED" in all_bytes(tmp_path)
    assert [leak.kind for leak in seen_in(all_bytes(tmp_path))] == []


async def test_no_byte_of_a_secret_leaks_through_names_of_loggers(tmp_path: Path):
    async with logging_to(FileOptions(path=tmp_path / "expert.log", json_logging=True), log_dir=tmp_path) as runtime:
        for leak in LEAKS:
            get_logger(f"desk {leak.text}").bind(a=1).getChild("child").info("ours")
            logging.getLogger(f"desk2 {leak.text}").warning("theirs")
            try:
                raise ValueError  # noqa: TRY301 - as programs do
            except ValueError:
                logging.getLogger(f"desk3 {leak.text}").exception("theirs")
            await asyncio.sleep(0)
        await runtime.flush()
    written = all_bytes(tmp_path)
    assert written.count(b'"theirs"') >= 2 * len(LEAKS)
    assert [leak.kind for leak in seen_in(written)] == []


async def test_a_hidden_parameter_of_an_order_shows_neither_value_nor_limit(tmp_path: Path):
    async with logging_to(FileOptions(path=tmp_path / "expert.log", json_logging=True), log_dir=tmp_path) as runtime:
        log.order_invalid(parameter="api_key", value="k3yV4lu3", rule="equals", limit="k3yL1m1t")
        await runtime.flush()
    written = all_bytes(tmp_path)
    assert b"order invalid: api_key [REDACTED] breaks equals ([REDACTED])" in written
    assert b"k3yV4lu3" not in written
    assert b"k3yL1m1t" not in written


async def test_no_byte_of_a_secret_leaks_through_names_of_tasks_and_of_exceptions(tmp_path: Path):
    secret = next(leak for leak in LEAKS if leak.kind == "a Binance key").secret
    named = type(f"Refused_{secret}", (Exception,), {})

    async def fail() -> None:
        log.info("on its way")
        theirs.warning("as they say it")
        try:
            raise ExceptionGroup("several", [named("refused")]) from named("before")  # noqa: TRY301 - as programs do
        except ExceptionGroup:
            log.exception("failed")
        try:
            raise named("alone")  # noqa: TRY301 - as programs do
        except named:
            log.exception("failed")

    async with logging_to(FileOptions(path=tmp_path / "expert.log", json_logging=True)) as runtime:
        await asyncio.create_task(fail(), name=f"stream-{secret}")
        await asyncio.to_thread(log.info, "elsewhere")
        await runtime.flush()
    written = all_bytes(tmp_path)
    assert b"on its way" in written
    assert b"REDACTED" in written
    assert secret.encode() not in written
