"""Which sinks have a disk queue, with which options, and where: what configuration and assembly both ask."""

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from metaexpert.logger.lanes import Overflow
from metaexpert.logger.options.queue import QueueOptions
from metaexpert.logger.options.remote import RemoteOptions
from metaexpert.logger.options.spool import SpoolOptions

if TYPE_CHECKING:
    from metaexpert.logger.config import AnySink

_LABEL_CHARACTERS: Final = 100


def spools(options: "AnySink", queue: QueueOptions) -> bool:
    """Whether a sink has a disk queue: collectors unless told otherwise, and whatever has overflow "spill"."""
    return queue.overflow is Overflow.SPILL or (isinstance(options, RemoteOptions) and options.spool.enabled)


def spool_options(options: "AnySink") -> SpoolOptions:
    """How its disk queue is to be."""
    return options.spool if isinstance(options, RemoteOptions) else SpoolOptions()


def spool_folder(options: "AnySink") -> Path:
    """Where its disk queue is, below `log_dir`."""
    folder = spool_options(options).folder
    # entries wait as the sink encodes them: a sink of another type under this name has another queue
    return Path("spool", folder_name(options.type, options.name)) if folder is None else folder


def folder_name(kind: str, sink: str) -> str:
    """The folder of a sink's queue: systems hold names to 255 bytes, so a long one is told by its hash."""
    label = quote(f"{kind}-{sink}", safe="")
    if len(label) <= _LABEL_CHARACTERS:
        return label
    return f"{label[:_LABEL_CHARACTERS]}-{blake2b(f'{kind}-{sink}'.encode(), digest_size=8).hexdigest()}"
