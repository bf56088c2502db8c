"""Lines that are JSON but say strange things: no command that reads logs ends because of one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.readable_logs import Folder
from typer.testing import CliRunner

from metaexpert.cli.app import app

STRANGE = (None, True, -1, 1.5, 10**18, "", "\x1b[31m", [1], {"a": 1}, {})
FIELDS: dict[str, Any] = {
    "sink": "file", "first_seq": 1, "dropped": 3, "by_level": {"INFO": 3}, "event": "order_filled", "order_id": "1",
    "quantity": "1", "price": "2", "symbol": "BTCUSDT"
}  # fmt: skip
USUAL: dict[str, Any] = {
    "timestamp": "2026-11-23T17:15:01.000000000Z", "level": "ERROR", "logger": "metaexpert.logger", "message": "order",
    "module": "feed", "function": "run", "line": 3, "process": 7, "thread": 9, "task": "t", "log_type": "trade",
    "extra": FIELDS, "trade_data": FIELDS, "error_context": {"a": 1}, "stack_info": "s",
    "exception": {"type": "E", "message": "m", "traceback": 'Traceback:\n  File "a.py", line 1, in f\nE: m'},
}  # fmt: skip
COMMANDS = (
    "tail -n 1000", "tail --json", "tail --utc --since 2026-11-23T17:00", "grep order", "errors", "errors --json",
    "stats", "stats --json", "trades", "trades --json", "trades --csv", "export --format csv", "export --format ecs",
    "export --format otel", "export --format ndjson"
)  # fmt: skip


def strange_lines() -> Iterator[dict[str, Any]]:
    for value in STRANGE:
        yield USUAL | {"id": value}
    for value in STRANGE:
        for key, usual in USUAL.items():
            yield USUAL | {key: value}
            if isinstance(usual, dict):
                yield from (USUAL | {"log_type": "gap", key: usual | {name: value}} for name in usual)
        yield USUAL | {"log_type": "gap", "extra": FIELDS | {"by_level": {"INFO": value}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs")
    lines = ({"id": f"1a2097fe9ce9f3a01-{number}"} | line for number, line in enumerate(strange_lines(), 1))
    Folder(path).write(map(orjson.dumps, lines))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_ends_because_of_a_strange_line(folder: Path, command: str):
    result = CliRunner().invoke(app, ["logs", *command.split(), str(folder)])
    assert result.exception is None, result.exception
    assert result.stdout
