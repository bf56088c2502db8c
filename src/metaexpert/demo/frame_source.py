"""A frame and when it is due; what the market server plays, simulated or captured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """One websocket text frame, `offset_seconds` after the first one's time."""

    offset_seconds: float
    text: str
