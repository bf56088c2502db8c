"""Secrets kept in files, as Docker and Kubernetes mount them: read when they are needed, and never shown.

A secret is the file's text without the white space around it, the newline at its end above all.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from metaexpert.exceptions import ConfigError

MAX_SECRET_BYTES: Final = 64 * 1024


def read_secret(field: str, path: Path) -> str:
    """The secret in a file.

    Args:
        field: the option that names the file, for the message.
        path: the file; relative to the present folder.

    Raises:
        ConfigError: the file cannot be read or holds no secret; the message names field and file.
    """
    try:
        content = _content(path)
        secret = content.decode("utf-8-sig").strip()  # editors on Windows write a byte order mark
    except OSError as error:
        raise _refused(
            field, path, f"cannot be read: {error.strerror or error}; is it mounted, and yours to read?"
        ) from (None)
    except UnicodeDecodeError:
        raise _refused(field, path, "is not UTF-8 text; write the secret into it as text") from None
    fault = _fault(secret, len(content))
    if fault:
        raise _refused(field, path, fault)
    return secret


def unreadable_secrets(fields: Mapping[str, Path]) -> list[str]:
    """What is wrong with the files that hold secrets, each by the option that names it."""
    problems: list[str] = []
    for field, path in fields.items():
        try:
            read_secret(field, path)
        except ConfigError as error:
            problems.append(str(error))
    return problems


def is_readable_by_everyone(path: Path) -> bool:
    """Whether any user of this machine may read the file; never told on Windows, which has no such bits."""
    return os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)


def _content(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        OSError: it cannot be read, or is no regular file: a pipe would keep us waiting, and give its secret once.
    """
    if path.exists() and not path.is_file():
        raise OSError(None, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(MAX_SECRET_BYTES + 1)


def _fault(secret: str, size_bytes: int) -> str:
    if size_bytes > MAX_SECRET_BYTES:
        return f"is larger than {MAX_SECRET_BYTES // 1024} KiB and no secret"
    if not secret:
        return "is empty; write the secret into it"
    return "" if secret.isprintable() else "must not contain control characters within the secret; it is one line"


def _refused(field: str, path: Path, what: str) -> ConfigError:
    return ConfigError(f"{field}: the file {str(path)!r} {what}")
