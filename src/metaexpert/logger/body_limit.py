"""How large a batch a destination takes: learnt from what it refused for its size, and tried again bit by bit; pure.

No limit until one is refused. Then batches are cut before they are sent, so that not each of them is refused first;
after enough of them went through the limit grows, since a collector may have been given a larger one.
"""

from typing import Final, final

from metaexpert.logger.batch import Batch

PROBE_BYTES: Final = 16 * 1024
"""Encoded size of a probe: what is sent to a destination that kept failing, to see whether it takes anything again."""

CLOSED_UNDER_IT: Final = 0
"""No status: the connection was closed under a batch, perhaps for its size."""

_TOO_LARGE: Final = frozenset({413, 500})
"""What a batch is refused with for its size: by HTTP's own status, or by a gateway that a service's limit stopped."""

_CLOSING_LIMIT_BYTES: Final = 64 * 1024
"""No lower limit is concluded from closed connections: a broken network closes them, too."""

_GROWS_AFTER: Final = 16
"""Batches near the limit that have to pass before a larger one is tried: what is tried in vain costs this little."""

_SLACK: Final = 8
"""A batch larger than the limit by less than this part of it is not cut: halves are never quite even."""


@final
class BodyLimit:
    """One destination's limit.

    Attributes:
        bytes: encoded size of the largest batch to send; None while there is no limit.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._passed = 0

    def refused_with(self, status: int, size_bytes: int) -> None:
        """A batch of this size was refused with this status, for its size or for something in it."""
        if status in _TOO_LARGE:
            self.refused(size_bytes)
        elif status == CLOSED_UNDER_IT:
            self.refused(size_bytes, _CLOSING_LIMIT_BYTES)

    def refused(self, size_bytes: int, least_bytes: int = 1) -> None:
        """A batch of this size was refused for it.

        Args:
            size_bytes: its encoded size.
            least_bytes: lowest limit to conclude from it.
        """
        half = max(size_bytes // 2, least_bytes)
        self.bytes = half if self.bytes is None else min(self.bytes, half)
        self._passed = 0

    def passed(self, size_bytes: int) -> None:
        """A batch of this size was not refused for it."""
        if self.bytes is None or size_bytes < self.bytes // 2:
            return
        self._passed += 1
        if self._passed >= _GROWS_AFTER:
            self.bytes += self.bytes // 2 + 1
            self._passed = 0

    def cut(self, batch: Batch) -> tuple[Batch, Batch] | None:
        """The part of a batch that may be sent and what follows it; None when all of it may."""
        if self.bytes is None or len(batch) == 1 or batch.size_bytes <= self.bytes + self.bytes // _SLACK:
            return None
        pieces = -(-batch.size_bytes // self.bytes)
        return batch.front(batch.size_bytes // pieces)


def probe_of(batch: Batch) -> tuple[Batch, Batch] | None:
    """A probe and what follows it; None where the batch is no larger than that."""
    return batch.front(PROBE_BYTES) if len(batch) > 1 and batch.size_bytes > PROBE_BYTES else None
