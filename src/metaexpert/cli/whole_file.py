"""A file that is there whole or not at all: written beside its place, synced, and put there in one step."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, final

_MODE: Final = 0o600


@final
class WholeFile:
    """A file in the making; a context manager that puts it in its place unless an exception ends the block.

    Args:
        path: its place; what is there is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Write bytes; the file is begun with the first.

        Raises:
            OSError: they cannot be written.
        """
        if self._file is None:
            self._file = open(self._beside, "xb", opener=_opened_private)  # noqa: SIM115 - Path.open has no opener
        self._file.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            if kind is None:
                self._finish(self._file)
        finally:
            self._file.close()
            with suppress(FileNotFoundError):
                self._beside.unlink()

    def _finish(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._beside.replace(self._path)


def _opened_private(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)
