"""Which tests stay together when several processes run them (`-n 2`): a file's, and those that share a server."""

from pathlib import PurePosixPath
from typing import Any, Final, cast, override

from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs] - it has types and no stubs

_TOGETHER: Final = ("tests/integration/real/",)
"""Folders whose tests share what is started once a session."""


class ByFile(LoadScopeScheduling):
    """Files in the order they were collected: contracts and real processes first, many short unit tests to fill up."""

    def __init__(self, config: Any, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    @override
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return str(PurePosixPath(file).parent) if file.startswith(_TOGETHER) else file


def sendable(value: Any) -> Any:
    """A report as it can be sent to another process: what tests log and print may be no text that UTF-8 knows."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {sendable(key): sendable(each) for key, each in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return type(value)(sendable(each) for each in cast("list[Any]", value))
        case _:
            return value
