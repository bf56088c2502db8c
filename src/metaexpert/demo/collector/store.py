"""What a target holds: one integer per entry id, and gap entries whole.

Each id maps to `fingerprint << KIND_BITS | kind`, where a kind is one (level, log type) pair and the
fingerprint tells a faithful retry from another entry that claims the same id. Half a million entries
take about 80 MB; nothing else of an entry is kept, except when it is a gap entry.
"""

from collections.abc import Iterator

from metaexpert.demo.collector.wire import Json

KIND_BITS = 8
KIND_MASK = (1 << KIND_BITS) - 1
OTHER_KIND = 0
CONFLICTS_NAMED = 100


class EntryStore:
    """The entries of one Loki tenant or one Elasticsearch index, by id."""

    __slots__ = ("_entries", "_kind_numbers", "conflicting_ids", "copies", "gaps", "kinds")

    def __init__(self) -> None:
        self._entries: dict[str, int] = {}
        self._kind_numbers: dict[tuple[str, str], int] = {}
        self.kinds: list[tuple[str, str]] = [("OTHER", "other")]
        self.copies: dict[str, int] = {}
        self.conflicting_ids: list[str] = []
        self.gaps: list[Json] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._entries

    def add(self, entry_id: str, level: str, log_type: str, content: bytes | str, whole: Json) -> bool:
        """Keep one entry; False when the id was there already.

        `content` is what must be identical in every copy; `whole` is kept only for gap entries.
        """
        kind = self._kind_numbers.get((level, log_type))
        if kind is None:
            kind = self._new_kind(level, log_type)
        record = (hash(content) & ~KIND_MASK) | kind
        known = self._entries.get(entry_id)
        if known is not None:
            self._count_copy(entry_id, same_content=known == record)
            return False
        self._entries[entry_id] = record
        if log_type == "gap":
            self.gaps.append(whole)
        return True

    def _new_kind(self, level: str, log_type: str) -> int:
        """Number a new pair; pairs beyond what the bits can number share `OTHER_KIND`."""
        number = len(self.kinds) if len(self.kinds) <= KIND_MASK else OTHER_KIND
        if number != OTHER_KIND:
            self.kinds.append((level, log_type))
            self._kind_numbers[level, log_type] = number
        return number

    def _count_copy(self, entry_id: str, *, same_content: bool) -> None:
        self.copies[entry_id] = self.copies.get(entry_id, 1) + 1
        if not same_content and len(self.conflicting_ids) < CONFLICTS_NAMED:
            self.conflicting_ids.append(entry_id)

    def items(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Each stored id with its (level, log type), in order of arrival."""
        kinds = self.kinds
        return ((entry_id, kinds[record & KIND_MASK]) for entry_id, record in self._entries.items())


def dump_stores(stores: list[EntryStore]) -> Json:
    """Everything the stores of one target hold, in columns: ids, kind numbers, the kinds' names."""
    kinds: dict[tuple[str, str], int] = {}
    ids: list[Json] = []
    kind_column: list[Json] = []
    copies: dict[str, Json] = {}
    for store in stores:
        for entry_id, kind in store.items():
            ids.append(entry_id)
            kind_column.append(kinds.setdefault(kind, len(kinds)))
        copies.update(store.copies)
    return {
        "ids": ids,
        "kind": kind_column,
        "kinds": [list(kind) for kind in kinds],
        "copies": copies,
        "conflicting": [entry_id for store in stores for entry_id in store.conflicting_ids],
        "gaps": [gap for store in stores for gap in store.gaps],
    }
