"""The sinks of a running pipeline by name, each with its options and its delivery, in the order they were configured.

Nothing here runs: the pipeline starts, moves and stops what stands here. One that a reload removed keeps its figures.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from metaexpert.logger import assembly
from metaexpert.logger.assembly import SinkAssembly
from metaexpert.logger.batching import Batching
from metaexpert.logger.closing import Closable
from metaexpert.logger.config import AnySink, LoggerConfig
from metaexpert.logger.delivery import Delivery
from metaexpert.logger.entry import Capture
from metaexpert.logger.files.evidence.chain import Anchor
from metaexpert.logger.files.former_files import sync_files_of
from metaexpert.logger.files.names import LogFile, Run
from metaexpert.logger.filters import Admission
from metaexpert.logger.identity import Identity
from metaexpert.logger.jobs import Jobs
from metaexpert.logger.notices import Notices
from metaexpert.logger.options.remote import RemoteOptions
from metaexpert.logger.sinks.base import Sink
from metaexpert.logger.sinks.file import FileSink
from metaexpert.logger.snapshots import sink_stats
from metaexpert.logger.stats import SinkStats


@final
@dataclass(frozen=True, slots=True)
class Member:
    """One sink with what it was made of and what drives it."""

    options: AnySink
    sink: Sink
    delivery: Delivery

    @property
    def closable(self) -> dict[str, Closable]:
        """The sink, and where its dead letters go."""
        name, letters = self.options.name, self.delivery.dead_letters
        return {name: self.sink} if letters is None else {name: self.sink, f"{name}-dead-letters": letters}

    @property
    def stats(self) -> SinkStats:
        """A snapshot."""
        return sink_stats(self.delivery, self.options.type)


@final
class Lineup:
    """The members of one pipeline.

    Args:
        jobs: the executor jobs under way.
        notices: where trouble is told.
        wake: tells the dispatcher that there is room again.
        rotated: called in a file's thread when a file of its log is complete.
        anchored: called there with a head of its seals, for all sinks to hold.
    """

    def __init__(
        self,
        jobs: Jobs,
        notices: Notices,
        *,
        wake: Callable[[], None],
        rotated: Callable[[LogFile], None],
        anchored: Callable[[Anchor], None],
    ) -> None:
        self._jobs = jobs
        self._notices = notices
        self._wake = wake
        self._rotated = rotated
        self._anchored = anchored
        self._members: dict[str, Member] = {}
        self._former: dict[str, SinkStats] = {}

    # ---- who is in it -----------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Member:
        return self._members[name]

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    @property
    def members(self) -> list[Member]:
        """All of them."""
        return list(self._members.values())

    @property
    def deliveries(self) -> list[Delivery]:
        """What drives them."""
        return [member.delivery for member in self._members.values()]

    @property
    def routed(self) -> list[tuple[Batching, Admission]]:
        """Their ways from the dispatcher, and which entries go each."""
        return [(each.delivery.batching, assembly.accepts(each.options)) for each in self._members.values()]

    def add(self, made: Mapping[str, Member]) -> None:
        """Take them in, in place of those of their names."""
        self._members |= made
        for name in made:
            self._former.pop(name, None)

    def leave_only(self, names: Iterable[str]) -> list[Member]:
        """Keep those of these names that are there, in this order, and let the others go."""
        before = self._members
        self._members = {name: before[name] for name in names if name in before}
        return [member for name, member in before.items() if name not in self._members]

    def keep_figures(self, member: Member) -> None:
        """Tell for good of one that is gone, until another one takes its name."""
        self._former[member.options.name] = member.stats

    def keeps(self, options: AnySink) -> bool:
        """Whether one of just these options is there."""
        member = self._members.get(options.name)
        return member is not None and member.options == options

    # ---- making them ------------------------------------------------------------------------------------------

    def made(self, config: LoggerConfig, wanted: Iterable[AnySink], identity: Identity) -> dict[str, Member]:
        """New ones for `wanted`; nothing of what runs is touched, and no I/O is done."""
        parts = self._parts(config, identity)
        return {options.name: self._member(parts, options, config) for options in wanted}

    def _member(self, parts: SinkAssembly, options: AnySink, config: LoggerConfig) -> Member:
        sink = parts.sink(options)
        delivery = assembly.new_delivery(
            options,
            sink,
            config,
            self._notices,
            self._wake,
            spilling=parts.spilling(options, config, self._notices),
            dead_letters=parts.dead_letters(options, self._notices),
        )
        return Member(options, sink, delivery)

    def _parts(self, config: LoggerConfig, identity: Identity) -> SinkAssembly:
        json_lines = assembly.json_lines_for(config.all_sinks(), identity)
        return SinkAssembly(config.log_dir, identity, self._jobs, json_lines, self._rotated, self._anchored)

    def encoders(self, config: LoggerConfig, identity: Identity) -> dict[str, Callable[[Capture], bytes]]:
        """How they would encode entries of another run."""
        parts = self._parts(config, identity)
        return {
            name: assembly.encoder(member.options, parts.sink(member.options)) for name, member in self._members.items()
        }

    # ---- the files among them ---------------------------------------------------------------------------------

    async def sync_files(self) -> None:
        """Sync what was written."""
        for sink in self._files():
            await sink.sync()

    def sync_former_files(self, runs: Mapping[Run, bool]) -> None:
        """Sync what runs that ended left in their logs; blocks."""
        for sink in self._files():
            sync_files_of(sink.log, runs)

    def _files(self) -> list[FileSink]:
        return [member.sink for member in self.members if isinstance(member.sink, FileSink)]

    # ---- figures ----------------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Entries not settled."""
        return sum(delivery.in_flight for delivery in self.deliveries)

    @property
    def lost(self) -> int:
        """Entries dropped or rejected."""
        return sum(delivery.ledger.lost for delivery in self.deliveries)

    @property
    def local(self) -> list[str]:
        """Those of this machine that take all entries there are to take without asking a network."""
        return [name for name, member in self._members.items() if not isinstance(member.options, RemoteOptions)]

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks by name."""
        return MappingProxyType({name: member.sink for name, member in self._members.items()})

    @property
    def stats(self) -> Mapping[str, SinkStats]:
        """A snapshot, of those that are gone their last one."""
        return MappingProxyType(self._former | {name: member.stats for name, member in self._members.items()})
