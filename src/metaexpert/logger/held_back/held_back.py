"""Holds back what is below a logger's level until the task, or the order, it belongs to fails; then it is written.

The entries keep their numbers and times, stand ahead of the error that released them and say `held_back`. What ends
well is forgotten. A task fails when it logs ERROR or is left by an exception; a field's value when an entry that has it
is an ERROR or says that the order was rejected, and it ends well when its order is filled, cancelled or expired.
"""

import asyncio
import logging
from collections.abc import Hashable
from typing import Any, Final, final

import orjson

from metaexpert.logger.entry import DETAILS, LEVEL, LOG_TYPE, TRADE, TRADE_DATA, Capture
from metaexpert.logger.held_back.belonging import field_key, running_task, thread_key
from metaexpert.logger.held_back.rings import HeldBackStats, Rings
from metaexpert.logger.options.held_back import TASK, HeldBackOptions
from metaexpert.logger.port import port
from metaexpert.logger.receipts import Put, Receipt

_FIELDS: Final = 7
_TASK: Final = 10
_MARK: Final = b'"held_back":true'
_FAILED: Final = frozenset({"order_rejected", "liquidation"})
_ENDED: Final = frozenset({"order_filled", "order_cancelled", "order_expired", "position_closed"})


def _nowhere(_capture: Capture) -> None:
    """Logging does not run."""


@final
class HeldBack:
    """What is held back, and when it is let go.

    Args:
        options: by what, how much and from which level on.
    """

    def __init__(self, options: HeldBackOptions) -> None:
        self.options = options
        self._rings = Rings(options.max_entries, options.max_bytes, options.max_total_bytes)
        self._lowest = logging.getLevelNamesMapping()[options.level]
        self._field = None if options.key == TASK else options.key
        self._needle = orjson.dumps(options.key)
        self._put: Put = _nowhere

    def into(self, put: Put) -> Put:
        """The way of a call into the pipeline, on which errors release what was held back."""
        self._put = put
        look = self._look

        def put_after_held(capture: Capture) -> Receipt | None:
            if capture[2] >= logging.ERROR or capture[11] == TRADE:
                look(capture)
            return put(capture)

        return put_after_held

    def close(self) -> None:
        """Logging stops: forget all that is held."""
        self._put = _nowhere
        self._rings.clear()

    def stats(self) -> HeldBackStats:
        """A snapshot."""
        return self._rings.stats()

    # ---- in the call ------------------------------------------------------------------------------------------

    def hold(self, capture: Capture) -> None:
        """Hold back an entry that its logger's level does not let through; any thread."""
        if capture[LEVEL] < self._lowest:
            return
        if self._field is not None:
            key = field_key(self._field, self._needle, capture)
            if key is not None:
                self._rings.add(key, capture)
            return
        task = running_task()
        if task is None:
            self._rings.add(thread_key(), capture)
            return
        if capture[_TASK] is None:
            capture = (*capture[:_TASK], port.encoder.text(task.get_name()), *capture[_TASK + 1 :])
        if self._rings.add(id(task), capture, task):
            task.remove_done_callback(self._task_ended)  # a task that fails again and again needs one alone
            task.add_done_callback(self._task_ended)

    def _look(self, capture: Capture) -> None:
        """Before an error or a trade entry goes its way."""
        if self._field is None:
            if capture[LEVEL] >= logging.ERROR:
                task = running_task()
                self._release(thread_key() if task is None else id(task))
            return
        key = field_key(self._field, self._needle, capture)
        if key is None:
            return
        event = _event(capture)
        if capture[LEVEL] >= logging.ERROR or event in _FAILED:
            self._release(key)
        elif event in _ENDED:
            self._rings.forget(key)

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        if self._rings.owner(id(task)) is not task:
            return
        # not task.exception(): whoever asks for it counts as having retrieved it, and asyncio warns of what nobody did
        if not task.cancelled() and getattr(task, "_exception", None) is not None:
            self._release(id(task))
        else:
            self._rings.forget(id(task))

    def _release(self, key: Hashable) -> None:
        put = self._put
        for capture in self._rings.take(key):
            put(_marked(capture))


def _marked(capture: Capture) -> Capture:
    fields = capture[_FIELDS]
    fields = b"%b,%b" % (fields, _MARK) if fields else _MARK
    return (*capture[:_FIELDS], fields, *capture[_FIELDS + 1 :])


def _event(capture: Capture) -> str | None:
    details = capture[DETAILS]
    if capture[LOG_TYPE] != TRADE or details is None or not details[TRADE_DATA]:
        return None
    return orjson.loads(details[TRADE_DATA]).get("event")


def held_back_for(options: HeldBackOptions | None, former: HeldBack | None) -> HeldBack | None:
    """What these options ask for: what there is already where they are the same."""
    if former is not None and former.options == options:
        return former
    if former is not None:
        former.close()
    return None if options is None else HeldBack(options)
