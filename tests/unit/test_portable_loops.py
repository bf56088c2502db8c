"""The logger asks of an event loop only what every loop can: selector, proactor and uvloop alike.

The Proactor loop of Windows has no `add_reader` and no `add_signal_handler`; pipes and policies differ everywhere.
"""

import ast
from pathlib import Path

import pytest

LOGGER = Path(__file__).resolve().parents[2] / "src" / "metaexpert" / "logger"

NOT_EVERYWHERE = frozenset({
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_subprocess_exec",
    "create_subprocess_shell",
    "create_unix_connection",
    "create_unix_server",
    "get_child_watcher",
    "get_event_loop_policy",
    "open_unix_connection",
    "ProactorEventLoop",
    "remove_reader",
    "remove_signal_handler",
    "remove_writer",
    "SelectorEventLoop",
    "set_event_loop_policy",
    "set_wakeup_fd",
    "subprocess_exec",
    "uvloop",
    "_selector",
    "_csock",
    "_ready",
})  # fmt: skip


def names_in(source: str) -> set[str]:
    """Every name, attribute and import of a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {part for alias in node.names for part in alias.name.split(".")}
    return found


@pytest.mark.parametrize("path", sorted(LOGGER.rglob("*.py")), ids=lambda path: str(path.relative_to(LOGGER)))
def test_a_module_uses_nothing_that_some_loops_lack(path: Path):
    assert names_in(path.read_text(encoding="utf-8")) & NOT_EVERYWHERE == set()


def test_a_use_would_be_found():
    assert names_in("import uvloop\nasyncio.get_running_loop().add_reader(0, print)") >= {"uvloop", "add_reader"}
