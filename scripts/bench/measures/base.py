"""What every measurement is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.amounts import Amounts
from bench.peers.registry import PeerInfo
from bench.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One measurement of one peer, in an empty folder."""

    peer: PeerInfo
    amounts: Amounts
    folder: Path


type Measure = Callable[[Case], Awaitable[Reading]]
