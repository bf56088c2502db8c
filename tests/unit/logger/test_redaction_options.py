"""Options of redaction: patterns of one's own, pseudonyms, and what is refused."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metaexpert.exceptions import ConfigError
from metaexpert.logger import Logger, LoggingRuntime, RedactionOptions

type Line = dict[str, Any]
type LinesOf = Callable[[LoggingRuntime], list[Line]]


def key_file(folder: Path, secret: str) -> Path:
    path = folder / "pseudonyms.key"
    path.write_text(secret)
    return path


def test_further_patterns_hold_in_messages_and_values(
    start: Callable[..., LoggingRuntime], lines_of: LinesOf, log: Logger
):
    runtime = start(redaction=RedactionOptions(patterns=(r"DESK-\d+",)))
    log.info("order of DESK-12", note="by DESK-13 itself")
    (found,) = lines_of(runtime)
    assert (found["message"], found["extra"]["note"]) == ("order of [REDACTED]", "by [REDACTED] itself")


def test_they_hold_for_entries_logged_before_the_start(
    start: Callable[..., LoggingRuntime], lines_of: LinesOf, log: Logger
):
    try:
        raise ValueError("DESK-14")  # noqa: TRY301 - to be logged
    except ValueError:
        log.exception("order of DESK-12", note="by DESK-13 itself")
    found = lines_of(start(redaction=RedactionOptions(patterns=(r"DESK-\d+",))))
    assert len(found) == 1
    assert "DESK" not in str(found)


def test_the_search_can_be_switched_off(start: Callable[..., LoggingRuntime], lines_of: LinesOf, log: Logger):
    runtime = start(redaction=RedactionOptions(values=False))
    log.info("mail to jane@example.com", password="hidden all the same")
    (found,) = lines_of(runtime)
    assert found["message"] == "mail to jane@example.com"
    assert found["extra"] == {"password": "[REDACTED]"}


def test_pseudonyms_are_the_same_for_the_same_value_and_another_with_another_key(
    start: Callable[..., LoggingRuntime], lines_of: LinesOf, log: Logger, tmp_path: Path, runner: asyncio.Runner
):
    def shown(secret: str) -> list[str]:
        rules = RedactionOptions(pseudonyms=("account_no",), pseudonym_key_file=key_file(tmp_path, secret))
        runtime = start(redaction=rules)
        for account in ("DE-1", "DE-2", "DE-1"):
            log.info("x", accountNo=account, deep={"account_no": account})
        found = lines_of(runtime)
        runner.run(runtime.stop())
        assert "DE-" not in str(found)
        assert all(line["extra"]["accountNo"] == line["extra"]["deep"]["account_no"] for line in found)
        return [line["extra"]["accountNo"] for line in found]

    first, second, again = shown("one key")
    assert first == again != second
    assert first.startswith("pseudonym:")
    assert shown("another key")[0] != first


def test_a_start_without_the_key_fails_and_names_the_file(start: Callable[..., LoggingRuntime], tmp_path: Path):
    rules = RedactionOptions(pseudonyms=("account",), pseudonym_key_file=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"pseudonym_key_file: the file '.*none' cannot be read"):
        start(redaction=rules)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"pseudonyms": ("account",)}, "pseudonyms need pseudonym_key_file"),
        ({"patterns": ("(",)}, "is no regular expression"),
        ({"patterns": ("x*",)}, "matches an empty text"),
        ({"patterns": ("x",), "values": False}, "they need values = true"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, Any], told: str):
    with pytest.raises(ConfigError, match=told):
        RedactionOptions(**values)


def test_an_id_stays_that_looks_like_a_secret_where_its_key_says_what_it_is(
    start: Callable[..., LoggingRuntime], lines_of: LinesOf, log: Logger
):
    order_hash, key = "0x" + "9f86d081884c7d65" * 4, "x-Mg8zBTcx2j4wq4VN0VL2YmM4WkqS1234"
    runtime = start(redaction=RedactionOptions(patterns=(r"DESK-\d+",)))
    log.trade.order_placed(order_id=order_hash, client_order_id=key, side="BUY", quantity=1, memo=order_hash)
    log.trade.order_filled(order_id=order_hash, side="BUY", quantity=1, price=2)
    log.info("sent", order_id=order_hash, tx={"tx_hash": order_hash, "note": order_hash})
    log.info("not an id", order_id=f"api_key={key}", trade_id=f"{'x' * 40}-DESK-12")
    placed, filled, sent, other = lines_of(runtime)  # and no warning of orders that are one because of their mark
    assert (placed["trade_data"]["order_id"], placed["trade_data"]["client_order_id"]) == (order_hash, key)
    assert placed["trade_data"]["memo"] == "[REDACTED]"
    assert filled["trade_data"]["order_id"] == order_hash
    assert sent["extra"] == {"order_id": order_hash, "tx": {"tx_hash": order_hash, "note": "[REDACTED]"}}
    assert other["extra"] == {"order_id": "api_key=[REDACTED]", "trade_id": f"{'x' * 40}-[REDACTED]"}


def test_a_key_that_is_a_secret_itself_is_hidden(start: Callable[..., LoggingRuntime], lines_of: LinesOf, log: Logger):
    key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    runtime = start()
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]  # to see what others get
    log.addHandler(handler)
    try:
        for _ in range(2):  # the second time the key is known
            log.info("limits", by_key={key: 3}, **{key: 1})
    finally:
        log.removeHandler(handler)
    for found in lines_of(runtime):
        assert found["extra"] == {"by_key": {"[REDACTED]": 3}, "[REDACTED]": 1}
    assert len(seen) == 2
    assert not any(key in repr(vars(record)) for record in seen)
