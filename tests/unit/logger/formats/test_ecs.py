"""ECS documents: the names Elasticsearch's schema gives, users' fields apart from it."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from metaexpert.logger import Logger, get_logger
from metaexpert.logger.entry import SEQ, TIME_NS, Capture
from metaexpert.logger.formats.ecs import EcsDocuments
from metaexpert.logger.formats.timestamps import rfc3339
from metaexpert.logger.identity import Identity
from metaexpert.logger.typed_logger import error_logger

type Written = Callable[[Callable[[Logger], object]], Capture]

IDENTITY = Identity(service="expert", boot_id="boot", pid=4711, host="box")


def document(entry: Capture, environment: str = "") -> dict[str, Any]:
    return orjson.loads(EcsDocuments(IDENTITY, environment)(entry))


def test_a_plain_entry_has_the_names_of_the_schema(written: Written, name: str):
    entry = written(lambda log: log.warning("hello"))
    found = document(entry)
    assert found["@timestamp"] == rfc3339(entry[TIME_NS])
    assert found["message"] == "hello"
    assert found["ecs"]["version"].startswith("8.")
    assert (found["log"]["level"], found["log"]["logger"]) == ("warning", name)
    assert found["log"]["origin"]["function"] == "<lambda>"
    assert found["log"]["origin"]["file"]["name"] == "test_ecs.py"
    assert isinstance(found["log"]["origin"]["file"]["line"], int)
    assert found["service"] == {"name": "expert"}
    assert found["host"] == {"name": "box"}
    assert found["process"]["pid"] == 4711
    assert isinstance(found["process"]["thread"]["id"], int)
    assert found["event"] == {"dataset": "metaexpert.general", "id": f"boot-{entry[SEQ]}", "sequence": entry[SEQ]}
    assert found.keys() == {"@timestamp", "message", "ecs", "log", "service", "host", "process", "event"}


def test_users_fields_stand_under_one_object(written: Written):
    found = document(written(lambda log: log.bind(symbol="BTC").info("x", message=1, log={"level": 5})))
    assert found["extra"] == {"symbol": "BTC", "message": 1, "log": {"level": 5}}
    assert found["message"] == "x"


def test_trade_fields_stand_under_one_object(written: Written):
    found = document(written(lambda log: log.trade.order_cancelled(order_id="7")))
    assert found["trade_data"]["order_id"] == "7"
    assert found["event"]["dataset"] == "metaexpert.trade"
    assert "extra" not in found


def test_an_errors_context_stands_under_one_object(written: Written, name: str):
    found = document(written(lambda _: error_logger(get_logger(name)).error("failed", error_code=7)))
    assert found["error_context"] == {"error_code": 7}
    assert found["event"]["dataset"] == "metaexpert.error"


def test_an_exception_has_type_message_and_stack_trace(written: Written):
    def fail(log: Logger) -> None:
        try:
            int("wrong")
        except ValueError:
            log.exception("oops", stack_info=True)

    error = document(written(fail))["error"]
    assert (error["type"], error["message"]) == ("ValueError", "invalid literal for int() with base 10: 'wrong'")
    assert error["stack_trace"].startswith("Traceback (most recent call last)")


def test_a_stack_alone_is_a_stack_trace(written: Written):
    error = document(written(lambda log: log.info("x", stack_info=True)))["error"]
    assert error["stack_trace"].startswith("Stack (most recent call last)")
    assert "message" not in error


def test_the_environment_is_said_when_configured(written: Written):
    assert document(written(lambda log: log.info("x")), "prod")["service"] == {"name": "expert", "environment": "prod"}


def test_the_task_is_a_label(make_entry: Callable[..., Capture]):
    entry = make_entry(1)
    assert document((*entry[:10], "strategy", *entry[11:]))["labels"] == {"task": "strategy"}


def test_the_same_entry_gives_the_same_bytes(written: Written):
    entry = written(lambda log: log.bind(b=2).warning("x", a=1.5))
    assert EcsDocuments(IDENTITY)(entry) == EcsDocuments(IDENTITY)(entry)
    assert EcsDocuments(IDENTITY)((*entry,)) == EcsDocuments(IDENTITY)(entry)


@pytest.mark.parametrize("text", ["two\nlines", "語🎉", "\ud800", "\x1b[2J\0"])
def test_any_text_gives_one_line_of_json(written: Written, text: str):
    encoded = EcsDocuments(IDENTITY)(written(lambda log: log.info(text, **{text: text})))
    assert b"\n" not in encoded
    assert orjson.loads(encoded)["message"] == text.encode("utf-8", "backslashreplace").decode()


def test_many_sites_do_not_mix_up(written: Written):
    documents = EcsDocuments(IDENTITY)
    entry = written(lambda log: log.info("x"))
    for level in range(10_100):
        documents((*entry[:2], level, *entry[3:]))
    assert orjson.loads(documents(entry))["log"]["level"] == "info"
