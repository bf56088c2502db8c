"""A websocket as an expert's feed: frames parsed to events; garbage is counted and logged, never fatal."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from metaexpert.core.events import MarketEvent
from metaexpert.logger import get_logger
from metaexpert.websocket.client import WebSocketClient
from metaexpert.websocket.frames import Garbage, parse_frame

_SAMPLE_CHARACTERS = 200

log = get_logger(__name__)


class WebSocketFeed:
    """Market events of one websocket client."""

    def __init__(self, client: WebSocketClient) -> None:
        self._client = client
        self.garbage_frames = 0

    async def events(self) -> AsyncGenerator[MarketEvent]:
        """Yield the events of every frame, in order."""
        async with aclosing(self._client.frames()) as frames:
            async for frame in frames:
                parsed = parse_frame(frame.data, frame.received_ns)
                if isinstance(parsed, Garbage):
                    self._note_garbage(parsed, frame.data)
                    continue
                for event in parsed:
                    yield event

    def _note_garbage(self, garbage: Garbage, data: str | bytes) -> None:
        self.garbage_frames += 1
        log.warning(
            "frame not understood",
            reason=garbage.reason,
            frame=data[:_SAMPLE_CHARACTERS],
            garbage_frames=self.garbage_frames,
        )
