"""The batches one worker is at, in the pieces they are sent in; pure.

Normally that is one batch in one piece. A batch that is refused is cut, and finding what is wrong in it can take
thousands of requests: after some of them ERROR and protected entries go ahead of ordinary ones, and so do those of the
batches that wait behind. Within a lane the order stays; batches end in the order in which they were begun.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple, final

from metaexpert.logger.batch import Batch
from metaexpert.logger.entry import LEVEL, LOG_TYPE, Lane, lane_of

PATIENCE: Final = 16
"""Answers to pieces of a batch after which what matters more goes ahead; and again each time after as many more."""


class _Piece(NamedTuple):
    number: int
    batch: Batch


@final
class Workload:
    """What a worker has taken and not settled."""

    def __init__(self) -> None:
        self._ahead: deque[_Piece] = deque()
        self._rest: deque[_Piece] = deque()
        self._begun: deque[Batch] = deque()
        self._oldest = 0
        self._answers = 0
        self._is_sifted = False

    def __len__(self) -> int:
        """Batches begun and not ended."""
        return len(self._begun)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to send."""
        return not self._rest and not self._ahead

    @property
    def is_slow(self) -> bool:
        """Whether so many pieces were answered that it is time for `let_ahead`."""
        return self._answers >= PATIENCE

    @property
    def head(self) -> Batch:
        """The piece that is sent next."""
        return self._next[0].batch

    @property
    def pieces(self) -> list[Batch]:
        """All that is left, in the order of the batches."""
        return [piece.batch for piece in sorted([*self._ahead, *self._rest], key=lambda piece: piece.number)]

    @property
    def entries(self) -> int:
        """Entries that are left."""
        return sum([len(piece.batch) for queue in (self._ahead, self._rest) for piece in queue])

    @property
    def _next(self) -> deque[_Piece]:
        return self._ahead or self._rest

    def begin(self, batch: Batch) -> None:
        """Take a batch, behind what there is."""
        self.begin_in_pieces(batch, (batch,))

    def begin_in_pieces(self, batch: Batch, pieces: Iterable[Batch]) -> None:
        """Take a batch that is cut already."""
        if not self._begun:
            self._answers = 0
            self._is_sifted = False
        number = self._oldest + len(self._begun)
        self._begun.append(batch)
        self._rest.extend([_Piece(number, piece) for piece in pieces])

    def replace_head(self, *pieces: Batch) -> None:
        """Let these stand where the head stood; without any, it is settled."""
        queue = self._next
        number = queue.popleft().number
        queue.extendleft([_Piece(number, piece) for piece in reversed(pieces)])

    def answered(self) -> None:
        """A piece was answered, whatever was said of it."""
        self._answers += 1

    def let_ahead(self, waiting: Iterable[Batch]) -> None:
        """Take the batches that wait, too, and let entries of the upper lanes go before all others."""
        self._answers = 0
        if not self._is_sifted:
            self._is_sifted = True
            self._rest, unsifted = deque(), self._rest
            for piece in unsifted:
                self._sift(piece)
        for batch in waiting:
            number = self._oldest + len(self._begun)
            self._begun.append(batch)
            self._sift(_Piece(number, batch))

    def _sift(self, piece: _Piece) -> None:
        batch = piece.batch
        upper = [at for at, entry in enumerate(batch.entries) if lane_of(entry[LEVEL], entry[LOG_TYPE]) >= Lane.ERROR]
        if not upper:
            self._rest.append(piece)
        elif len(upper) == len(batch):
            self._ahead.append(piece)
        else:
            others = sorted({*range(len(batch))}.difference(upper))
            self._ahead.append(_Piece(piece.number, batch.subset(upper)))
            self._rest.append(_Piece(piece.number, batch.subset(others)))

    def ended(self) -> list[Batch]:
        """Batches of which nothing is left, no older one being begun; each is named once."""
        left = [queue[0].number for queue in (self._ahead, self._rest) if queue]
        end = min(left, default=self._oldest + len(self._begun))
        batches = [self._begun.popleft() for _ in range(end - self._oldest)]
        self._oldest = end
        return batches

    def clear(self) -> None:
        """Forget all of it; somebody else has it."""
        self._oldest += len(self._begun)
        self._ahead.clear()
        self._rest.clear()
        self._begun.clear()
