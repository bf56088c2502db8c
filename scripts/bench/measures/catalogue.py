"""The measurements by name, and which peers each is for."""

from dataclasses import dataclass

from bench.measures.base import Measure
from bench.measures.collectors import to_collector
from bench.measures.desk import desk
from bench.measures.disabled import disabled
from bench.measures.fsynced import fsynced
from bench.measures.lag import lag
from bench.measures.latency import latency
from bench.measures.memory import memory, stalled
from bench.measures.protected import protected
from bench.measures.reading import reading
from bench.measures.rotation import rotation
from bench.measures.spool import spool
from bench.measures.sustained import sustained
from bench.peers.base import Wire
from bench.peers.registry import OURS, PEERS, delivering_to


@dataclass(frozen=True, slots=True)
class Entry:
    """One measurement, and the peers that can do it."""

    measure: Measure
    peers: tuple[str, ...]


_ALL = tuple(PEERS)
_WITH_COLLECTOR = tuple(name for name, info in PEERS.items() if info.wires)

MEASURES: dict[str, Entry] = {
    "latency": Entry(latency, _ALL),
    "disabled": Entry(disabled, _ALL),
    "sustained": Entry(sustained, _ALL),
    "lag": Entry(lag, _ALL),
    "memory": Entry(memory, _ALL),
    "stalled": Entry(stalled, _WITH_COLLECTOR),
    **{str(wire): Entry(to_collector(wire), tuple(delivering_to(wire))) for wire in Wire},
    "protected": Entry(protected, (OURS,)),
    "desk": Entry(desk, (OURS,)),
    "fsynced": Entry(fsynced, (OURS,)),
    "spool": Entry(spool, (OURS,)),
    "rotation": Entry(rotation, (OURS,)),
    "reading": Entry(reading, (OURS,)),
}
