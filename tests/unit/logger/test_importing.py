"""What a program imports: no more than it uses."""

import subprocess
import sys

import pytest

HEAVY = ("pydantic", "aiohttp", "aiofiles", "metaexpert.logger.public", "metaexpert.logger.config")
"""What costs a fifth of a second and more, and what brings it."""


def _imported(code: str, names: tuple[str, ...]) -> list[str]:
    program = f"import sys\n{code}\nprint(*(name for name in {names!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "from metaexpert.logger import get_logger\nget_logger('a').bind(symbol='B').info('kept', price=1.5)",
        "from metaexpert.logger import Logger, BoundLogger, lazy, log_context\n",
        "from metaexpert.logger import LogContext, TradeContext, bind_contextvars, get_trade_logger",
    ],
    ids=["get_logger", "what is passed to it", "the existing interface"],
)
def test_who_only_logs_imports_nothing_of_what_is_set_up(code: str) -> None:
    assert _imported(code, HEAVY) == []


def test_who_writes_files_alone_imports_no_http() -> None:
    code = (
        "import tempfile\nfrom metaexpert.logger import LoggerConfig, get_logger, setup_logging\n"
        "with tempfile.TemporaryDirectory() as folder, setup_logging(LoggerConfig(log_dir=folder)):\n"
        "    get_logger('a').info('written')"
    )
    assert _imported(code, ("pydantic", "aiohttp", "metaexpert.logger.sinks.http")) == ["pydantic"]


def test_a_name_is_the_same_wherever_it_is_asked_for() -> None:
    code = (
        "import metaexpert.logger as package\nearly = {name: getattr(package, name) for name in package._LOGGED_WITH}\n"
        "from metaexpert.logger import public\n"
        "print(*(name for name, found in early.items() if found is not getattr(public, name)))\n"
        "print(*(name for name in early if name not in public.__all__))"
    )
    assert _imported(code, ()) == []
