"""What log calls are connected to: an ingress, an encoder, a loop; swapped as a whole when logging starts and stops.

Until logging starts the port holds an ingress of its own, which keeps entries for the start.
"""

import logging
from _thread import get_ident
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast, final

from metaexpert.logger.faults.telling import PLAIN, Faults
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.receipts import Put
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.values import ValueEncoder

if TYPE_CHECKING:
    from threading import RLock

_STDLIBS_LOCK: Final = cast("RLock", vars(logging)["_lock"])
_LOCK_SECONDS: Final = 0.5


def under_stdlibs_lock(change: Callable[[], object]) -> None:
    """Change something of stdlib logging's; left alone where its lock is not to be had.

    A thread that holds it may be waiting for us: a signal handler interrupted it there, and stops logging.
    """
    if _STDLIBS_LOCK.acquire(timeout=_LOCK_SECONDS):
        try:
            change()
        finally:
            _STDLIBS_LOCK.release()


@final
class Port:
    """The pipeline as a log call sees it."""

    __slots__ = (
        "_way_in",
        "_wrap",
        "attached",
        "bridges",
        "clean",
        "encoder",
        "faults",
        "held_back",
        "ingress",
        "loop",
        "loop_thread",
        "put",
        "quick",
    )

    def __init__(self) -> None:
        self.bridges: list[logging.Handler] = []
        """Handlers on the root logger that are the pipeline's own."""
        self._wrap: Callable[[Put], Put] | None = None
        self.connect(Ingress(graded=False), ValueEncoder(Redactor()), loop=None)

    def disconnect(self) -> None:
        """Let calls wait again, in an ingress of their own; redaction rules once in force stay so."""
        self.connect(Ingress(graded=False), self.encoder, loop=None)

    def connect(
        self,
        ingress: Ingress,
        encoder: ValueEncoder,
        loop: AbstractEventLoop | None,
        *,
        put: Put | None = None,
        held_back: Put | None = None,
        faults: Faults = PLAIN,
    ) -> None:
        """Let all calls from now on go to `ingress`; every logger asks for its level again.

        Args:
            ingress: where entries go.
            encoder: the values' encoder with the redaction rules in force.
            loop: the loop logging runs on; None before the start and after the stop.
            put: how entries go there, where it is not `ingress.put` itself.
            held_back: where entries go that levels hold back; None where nobody wants them.
            faults: how exceptions are told of.
        """
        self.ingress = ingress
        self.encoder = encoder
        self.clean = encoder.clean
        self._way_in: Put = put or ingress.put
        self.put = self._way_in if self._wrap is None else self._wrap(self._way_in)
        self.quick = encoder.quick
        self.faults = faults
        self.held_back = held_back
        self.loop = loop
        self.loop_thread = get_ident() if loop is not None else 0
        self.attached = loop is not None
        under_stdlibs_lock(lambda: logging.root.setLevel(logging.root.level))  # its way to clear the level caches

    def reroute(self, former: Put, put: Put, held_back: Put | None) -> bool:
        """Let entries go another way to the same ingress; False, and nothing changes, where they go none such now.

        Args:
            former: how they go now.
            put: how they go from now on.
            held_back: likewise those that levels hold back.
        """
        if self._way_in is not former:
            return False
        self._way_in = put
        self.put = put if self._wrap is None else self._wrap(put)
        self.held_back = held_back
        return True

    def set_encoder(self, encoder: ValueEncoder) -> None:
        """Let calls go by other redaction rules."""
        self.encoder = encoder
        self.clean = encoder.clean
        self.quick = encoder.quick

    def watch(self, wrap: Callable[[Put], Put] | None) -> None:
        """Let what `wrap` makes stand before `put`, now and after each connect; None takes it away. For tests."""
        self._wrap = wrap
        self.put = self._way_in if wrap is None else wrap(self._way_in)


port: Final = Port()
