"""The folders the configuration writes logs to, found without making all of the configuration.

Reading a log must neither wait for pydantic nor fail because of a mistake in some sink's options. What cannot be told
from the plain values (a file that is not readable, options of sinks in variables) is left to the configuration itself.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from metaexpert.cli.logs_operations import loaded

_PREFIX: Final = "METAEXPERT_LOG_"
_FILES: Final = {"log_file": "expert.log", "log_trade_file": "trades.log", "log_error_file": "errors.log"}
_VARIABLES: Final = {
    "DIR": "log_dir",
    "LOG_DIR": "log_dir",
    "FILE": "log_file",
    "LOG_FILE": "log_file",
    "TRADE_FILE": "log_trade_file",
    "LOG_TRADE_FILE": "log_trade_file",
    "ERROR_FILE": "log_error_file",
    "LOG_ERROR_FILE": "log_error_file",
    "ARCHIVE__FOLDER": "archive.folder",
}


class _NotPlainError(Exception):
    """The values do not tell; the configuration itself has to."""


def configured_places(file: Path | None) -> list[Path]:
    """The folder of the logs, those of file sinks elsewhere, and the archives that there are.

    Args:
        file: a TOML file, instead of those the configuration looks for here.

    Raises:
        SystemExit: the configuration is not usable; what is wrong has been told.
    """
    try:
        return _existing(*_plain_places(_with_variables(_file_values(file))))
    except _NotPlainError:
        config = loaded(file, None)
    chosen = config.model_dump(mode="json", include={"log_dir", "archive", "sinks", *_FILES})
    return _existing(*_plain_places(chosen))


def plain_places() -> list[Path]:
    """The same where it can be told at once and without a word, as a shell's completion needs it; else none."""
    try:
        return _existing(*_plain_places(_with_variables(_file_values(None))))
    except _NotPlainError:
        return []


def _existing(log_dir: Path, others: list[Path]) -> list[Path]:
    return [log_dir, *(place for place in dict.fromkeys(others) if place != log_dir and place.is_dir())]


def _file_values(file: Path | None) -> Mapping[str, Any]:
    usual = (path for path in (Path("metaexpert.toml"), Path("pyproject.toml")) if path.exists())
    path = file or next(usual, None)
    if path is None:
        return {}
    import tomllib  # noqa: PLC0415 - only where there is a file

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _NotPlainError from error
    if path.name == "pyproject.toml":
        return _table(_table(_table(document, "tool"), "metaexpert"), "logger")
    return _table(document, "logger") if "logger" in document else document


def _with_variables(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for name, text in os.environ.items():
        if name.upper().startswith(_PREFIX):
            key = name.upper().removeprefix(_PREFIX)
            if key == "ARCHIVE" or key.startswith("SINKS"):
                raise _NotPlainError
            match _VARIABLES.get(key, ""):
                case "archive.folder":
                    found["archive"] = {**_table(found, "archive"), "folder": text}
                case option if option:
                    found[option] = text
                case _:
                    pass
    return found


def _plain_places(values: Mapping[str, Any]) -> tuple[Path, list[Path]]:
    log_dir = Path(_text(values.get("log_dir", "logs")))
    files = [_text(values.get(name, default)) for name, default in _FILES.items()]
    return log_dir, [(log_dir / file).parent for file in files] + list(_others(values, log_dir))


def _others(values: Mapping[str, Any], log_dir: Path) -> Iterator[Path]:
    """Archives, and the folders of file sinks."""
    sinks = values.get("sinks", ())
    if not isinstance(sinks, list | tuple):
        raise _NotPlainError
    for part in (values, *cast("tuple[object, ...]", sinks)):
        if not isinstance(part, Mapping):
            raise _NotPlainError
        options = cast("Mapping[str, Any]", part)
        archive = _table(options, "archive")
        if "folder" in archive:
            yield log_dir / _text(archive["folder"])
        if options.get("type") == "file" and "path" in options:
            yield (log_dir / _text(options["path"])).parent


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found: Any = values.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise _NotPlainError
    return cast("Mapping[str, Any]", found)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _NotPlainError
    return value
