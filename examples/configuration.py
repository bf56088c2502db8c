"""One configuration from a TOML file, the environment and keyword arguments, and what a mistake is told.

Run it with `python examples/configuration.py`; it works in a temporary folder.
"""

import asyncio
import tempfile
from pathlib import Path

from metaexpert.exceptions import ConfigError
from metaexpert.logger import LoggerConfig, get_logger, setup_logging

TOML = """
[logger]
log_name = "example"
log_level = "INFO"
json_logging = true
log_to_console = false

[logger.queue]
max_entries = 50_000

[logger.redaction]
keys = ["account"]

[[logger.sinks]]
type = "file"
name = "warnings"
path = "warnings.log"
level = "WARNING"
"""

ENVIRONMENT = {
    "METAEXPERT_LOG_LEVEL": "DEBUG",  # over the file's INFO
    "METAEXPERT_LOG_QUEUE__OVERFLOW": "drop_oldest",  # `__` steps into a table
}

log = get_logger("example.configuration")


def show_files(folder: Path) -> None:
    """Print what was written; each log's own name leads to the file of it that was begun last."""
    for file in sorted(file for file in folder.iterdir() if file.is_symlink()):
        lines = file.read_text(encoding="utf-8").splitlines()
        print(f"{file.name}: {len(lines)} lines, the first: {lines[0]}")


async def main() -> None:
    """Load, show, use, and misspell."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "metaexpert.toml"
        file.write_text(TOML, encoding="utf-8")
        # a program leaves `environ` out and gets the process's own; keyword arguments win over everything
        config = LoggerConfig.load(file, environ=ENVIRONMENT, log_dir=Path(folder) / "logs")
        print(f"log_level {config.log_level}, queue {config.queue.max_entries} {config.queue.overflow}")
        print("sinks:", ", ".join(options.name for options in config.all_sinks()))
        async with setup_logging(config):
            log.debug("enabled by the environment", account_id="A-1234")
            log.warning("seen in two files")
        show_files(config.log_dir)
        for mistake in ({"METAEXPERT_LOG_LEVLE": "DEBUG"}, {"METAEXPERT_LOG_QUEUE__MAX_ENTRIES": "1"}):
            try:
                LoggerConfig.load(file, environ=mistake)
            except ConfigError as error:
                print("refused:", error)


if __name__ == "__main__":
    asyncio.run(main())
