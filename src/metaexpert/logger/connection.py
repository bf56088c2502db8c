"""How log calls and the records of others come to a pipeline, and where they go when it is gone."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, cast, final

import orjson

from metaexpert.logger.config import LoggerConfig
from metaexpert.logger.entry import DETAILS, LEVEL, LOG_TYPE, PROTECTED_LOG_TYPES, SIZE, Capture
from metaexpert.logger.faults.telling import FaultRules, Faults
from metaexpert.logger.ingress import Ingress
from metaexpert.logger.loop_thread import Draining
from metaexpert.logger.options.redaction import RedactionOptions
from metaexpert.logger.options.secret_files import read_secret
from metaexpert.logger.pipeline import Pipeline
from metaexpert.logger.port import port, under_stdlibs_lock
from metaexpert.logger.redaction import Redactor
from metaexpert.logger.stdlib import RecordBridge
from metaexpert.logger.values import ValueEncoder
from metaexpert.logger.way import Way

_DRAIN_SECONDS: Final = 0.9
"""Longest wait for what a call without a loop waits for."""


@final
class Connection:
    """Connects the port and the root logger to one pipeline.

    Args:
        pipeline: where entries go.
        entry_id: the id of an entry by its number.
    """

    def __init__(self, pipeline: Pipeline, entry_id: Callable[[int], str]) -> None:
        self._pipeline = pipeline
        self._entry_id = entry_id
        self._made_encoder: ValueEncoder | None = None
        self._bridge = RecordBridge()
        self._root_level: int | None = None
        self._way: Way | None = None

    def connect(self, loop: asyncio.AbstractEventLoop, orphaned: Callable[[], None], *, drains: bool) -> None:
        """Let all calls come to the pipeline on `loop`, the running one; again, when it has moved there.

        Args:
            loop: where the pipeline lives.
            orphaned: called by the log call that finds `loop` closed.
            drains: the loop is on a thread of its own, and calling threads wait for it now and then.
        """
        ingress = self._pipeline.ingress
        if self._root_level is None:
            self._root_level = logging.root.level
            logging.root.setLevel(self._pipeline.config.log_level)
        ingress.attach(loop, self._pipeline.dispatcher.wake, orphaned)
        waiting = port.ingress
        journal = self._pipeline.journal
        way = ingress.put if journal is None else journal.into(ingress.put)
        put = Draining(ingress, way, loop, self._drained).put if drains else way
        if self._way is not None:
            self._way.leave()
        self._way = Way(put, lambda: self._encoder)
        self._arrange(self._way)
        faults = self._faults(self._pipeline.config)
        port.connect(ingress, self._encoder, loop, put=self._way.put, held_back=self._way.held_back, faults=faults)
        if drains:
            port.loop_thread = 0  # the tasks of that loop are the pipeline's own
        self.set_bridge(wanted=self._pipeline.config.capture.stdlib)
        if waiting is not ingress:
            self._take_early(waiting, ingress)
            loop.call_soon(_sweep, waiting, ingress.put)

    def _arrange(self, way: Way) -> None:
        journal = self._pipeline.journal
        recorder = None if journal is None else journal.held_back
        way.arrange(self._pipeline.config, recorder, self._pipeline.held_back)

    @property
    def _encoder(self) -> ValueEncoder:
        """By the rules in force; made when it is needed first, since a key of pseudonyms is in a file."""
        encoder = self._made_encoder
        if encoder is None:
            encoder = self._made_encoder = _encoder(self._pipeline.config)
        return encoder

    def _faults(self, config: LoggerConfig) -> Faults:
        options = config.errors
        return Faults(
            FaultRules(
                locals=options.local_limits(),
                task_stack=options.task_stack,
                group=options.group_rules(),
                entry_id=self._entry_id,
            )
        )

    async def _drained(self, urgent: bool) -> None:  # noqa: FBT001 - see Draining
        if urgent:
            await self._pipeline.drained(_DRAIN_SECONDS, self._pipeline.local_sinks)
        else:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._pipeline.dispatcher.taken()

    def _take_early(self, waiting: Ingress, ingress: Ingress) -> None:
        """What was logged before is older than all that comes now: it goes in front."""
        waiting.retire(ingress.put)
        early = [capture for capture in waiting.take(waiting.queued_entries) if _still_wanted(capture)]
        redaction = self._pipeline.config.redaction
        if redaction != RedactionOptions():
            early = [_under_rules(capture, self._encoder) for capture in early]
        if self._pipeline.journal is not None:
            for capture in early:
                self._pipeline.journal.protect(capture)
        ingress.put_first(early)
        loss = waiting.take_loss()
        if loss is not None:
            ingress.add_loss(loss)

    def configure(self, config: LoggerConfig) -> None:
        """Go over to the levels, redaction rules and captures of `config`."""
        encoder = self._made_encoder = _encoder(config)
        logging.root.setLevel(config.log_level)
        port.set_encoder(encoder)
        port.faults = self._faults(config)
        if self._way is not None:
            former = self._way.put
            self._arrange(self._way)
            port.reroute(former, self._way.put, self._way.held_back)
        self.set_bridge(wanted=config.capture.stdlib)

    def disconnect(self) -> None:
        """Let calls wait again; what a thread still brings here goes there too."""
        under_stdlibs_lock(self._leave_root)
        if self._way is not None:
            self._way.leave()
        port.disconnect()
        if self._pipeline.held_back is not None:
            self._pipeline.held_back.close()
        self._pipeline.ingress.retire(port.put)

    def _leave_root(self) -> None:
        if self._root_level is not None:
            logging.root.setLevel(self._root_level)
        self.remove_bridge()

    def sweep(self) -> None:
        """Pass on what came in while the pipeline ended."""
        _sweep(self._pipeline.ingress, port.put)

    def set_bridge(self, *, wanted: bool) -> None:
        """Take the records of other people's loggers in, or don't."""
        if wanted and self._bridge not in logging.root.handlers:
            logging.root.addHandler(self._bridge)
        elif not wanted:
            logging.root.removeHandler(self._bridge)
        port.bridges = [self._bridge] if wanted else []

    def remove_bridge(self) -> None:
        """Leave the root logger as it was."""
        self.set_bridge(wanted=False)


def _encoder(config: LoggerConfig) -> ValueEncoder:
    rules = config.redaction
    secret = rules.pseudonym_key_file and read_secret("redaction.pseudonym_key_file", rules.pseudonym_key_file)
    return ValueEncoder(
        Redactor(
            rules.keys,
            rules.allow,
            values=rules.values,
            patterns=rules.patterns,
            pseudonyms=rules.pseudonyms,
            pseudonym_key=secret or "",
        )
    )


def _sweep(retired: Ingress, put: Callable[[Capture], object]) -> None:
    """Pass on what a thread brought that was interrupted within its call while this ingress retired."""
    for capture in retired.take(retired.queued_entries):
        put(capture)


def _still_wanted(capture: Capture) -> bool:
    """Whether an entry logged before the start passes the levels now in force."""
    return capture[LOG_TYPE] in PROTECTED_LOG_TYPES or logging.getLogger(capture[3]).isEnabledFor(capture[LEVEL])


def _under_rules(capture: Capture, encoder: ValueEncoder) -> Capture:
    """An entry logged before the start, under the configured redaction rules."""
    details = capture[DETAILS]
    if details is not None:
        exception, stack, data = details
        data = data and b"{%b}" % encoder.again(data[1:-1])
        details = (_text_under_rules(exception, encoder), _text_under_rules(stack, encoder), data)
    fields, context = encoder.again(capture[7]), encoder.again(capture[8])
    message = encoder.scrub(capture[4])
    return (*capture[:4], message, *capture[5:7], fields, context, *capture[9:DETAILS], details, *capture[SIZE:])


def _text_under_rules(encoded: bytes, encoder: ValueEncoder) -> bytes:
    """An exception or a stack, encoded, with its texts looked through."""
    return orjson.dumps(_under_rules_below(orjson.loads(encoded), encoder)) if encoded else encoded


def _under_rules_below(shown: Any, encoder: ValueEncoder) -> Any:
    if isinstance(shown, dict):
        members = cast("dict[str, Any]", shown)
        return {
            key: encoder.in_place_of(key, each) if encoder.hides(key) else _under_rules_below(each, encoder)
            for key, each in members.items()
        }
    if isinstance(shown, list):
        return [_under_rules_below(each, encoder) for each in cast("list[Any]", shown)]
    return encoder.scrub(shown) if isinstance(shown, str) else shown
