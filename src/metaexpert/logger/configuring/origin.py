"""Where each value of a configuration came from, and how the whole was read; no part of a configuration's equality.

A value's path is its keys as text, an element's of a list by its index: `("sinks", "0", "url")`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, final

type KeyPath = tuple[str, ...]


class OriginKind(StrEnum):
    """The layers of a configuration, the lowest first."""

    DEFAULT = "default"
    PRESET = "preset"
    FILE = "file"
    ENVIRONMENT = "environment"
    ARGUMENT = "argument"


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    Attributes:
        kind: the layer.
        name: the preset, the key within the file, the environment variable, or the argument.
        file: the file, as it was named.
    """

    kind: OriginKind
    name: str = ""
    file: str = ""

    def __str__(self) -> str:
        match self.kind:
            case OriginKind.DEFAULT:
                return "default"
            case OriginKind.FILE:
                return f"{self.file}: {self.name}"
            case OriginKind.ENVIRONMENT:
                return f"environment variable {self.name}"
            case _:
                return f"{self.kind} {self.name}"


DEFAULT: Final = Origin(OriginKind.DEFAULT)


@final
@dataclass(frozen=True, slots=True)
class ConfigSource:
    """All that is needed to read a configuration once more.

    Attributes:
        folder: absolute folder in which relative and usual files are looked for.
        path: the named file; the usual ones when None.
        environ: variables; the process's when None.
        overrides: keyword arguments.
    """

    folder: Path
    path: Path | None
    environ: Mapping[str, str] | None
    overrides: Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True)
class Provenance:
    """What a configuration remembers of its making; any two are equal, so that equal options make equal configurations.

    Attributes:
        origins: by path, of what was given; what lies below a path without an origin of its own has that path's.
        source: how it was loaded; None for one that was made in code.
    """

    origins: Mapping[KeyPath, Origin] = field(default_factory=dict[KeyPath, Origin], compare=False, repr=False)
    source: ConfigSource | None = field(default=None, compare=False, repr=False)

    def given_by(self, path: KeyPath) -> Origin | None:
        """The origin of what was given at `path` or around it; None when nothing was."""
        return nearest_origin(self.origins, path)


def nearest_origin(origins: Mapping[KeyPath, Origin], path: KeyPath) -> Origin | None:
    """The origin recorded at `path`, else at the nearest path around it."""
    return next((origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in origins), None)
