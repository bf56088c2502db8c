"""Looks for texts in every byte of every file below a folder, those that come and go while it looks among them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

_BLOCK_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Search:
    """What was found, in one look or several.

    Attributes:
        files: Names of the files that were looked at.
        size_bytes: How much was looked at.
        found: Names of the files a text was found in, by the text's name.
    """

    files: set[str] = field(default_factory=set[str])
    size_bytes: int = 0
    found: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def look(self, folder: Path, texts: Mapping[str, str]) -> None:
        """Look at everything below `folder` once."""
        needles = {name: text.encode() for name, text in texts.items()}
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    self._look_in(str(path.relative_to(folder)), file, needles)
            except FileNotFoundError:
                continue  # it was emptied and removed meanwhile

    def _look_in(self, name: str, file: BinaryIO, needles: Mapping[str, bytes]) -> None:
        self.files.add(name)
        for block in _overlapping(file, max(map(len, needles.values()), default=1)):
            for needle, text in needles.items():
                if text in block:
                    self.found.setdefault(needle, set()).add(name)
        self.size_bytes += file.tell()


def _overlapping(file: BinaryIO, overlap: int) -> Iterator[bytes]:
    """The file's blocks, each with the end of the one before, so that no text falls between two."""
    end = b""
    while block := file.read(_BLOCK_BYTES):
        whole = end + block
        yield whole
        end = whole[-overlap:]
