"""What an expert remembers over restarts and kills: one JSON file, replaced as a whole.

A file is written beside, synced and renamed over the former one, so that a kill or a power loss at any instant leaves
the former or the new state, whole. A file that cannot be read is an error, not an empty state: an expert that has
forgotten its position must not trade.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import orjson

from metaexpert.exceptions import MetaExpertError

VERSION: Final = 1


class StateError(MetaExpertError):
    """A state file cannot be used; the message says why and what to do."""


class StateFile:
    """The state of one expert.

    Args:
        path: the file; its folder is made when something is saved.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, Any] | None:
        """What was saved last; None where nothing was.

        Raises:
            StateError: there is a file, and it cannot be used.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"state file {self.path} cannot be read: {error.strerror}") from error
        return self._checked(content)

    def save(self, content: bytes) -> None:
        """Replace what is there with what `encoded` gave; returns when it is on disk.

        Raises:
            StateError: it cannot be written.
        """
        try:
            self._replace(content)
        except OSError as error:
            raise StateError(f"state file {self.path} cannot be written: {error.strerror}") from error

    def _checked(self, content: bytes) -> dict[str, Any]:
        remedy = "mend it, or move it away to begin without positions and orders known"
        try:
            state = cast("object", orjson.loads(content))
        except orjson.JSONDecodeError as error:
            raise StateError(f"state file {self.path} is damaged ({error}); {remedy}") from error
        if not isinstance(state, dict) or cast("dict[str, Any]", state).get("version") != VERSION:
            raise StateError(f"state file {self.path} is not one of version {VERSION}; {remedy}")
        return cast("dict[str, Any]", state)

    def _replace(self, content: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor with a mode of its own
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(self.path.parent)


def encoded(state: Mapping[str, Any]) -> bytes:
    """The content of a state file.

    Raises:
        StateError: a value cannot stand in JSON.
    """
    try:
        return orjson.dumps({"version": VERSION, **state}, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_INDENT_2)
    except TypeError as error:
        raise StateError(f"expert.state holds what JSON cannot say: {error}; keep numbers, texts, lists") from error


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows opens no folders; there the rename itself is all one can do
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
