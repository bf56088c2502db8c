"""Websocket market data: a client that reconnects, and parsers from exchange frames to market events."""

from metaexpert.websocket.client import Frame, WebSocketClient, WebSocketOptions, WebSocketStats
from metaexpert.websocket.feed import WebSocketFeed
from metaexpert.websocket.frames import Garbage, parse_frame

__all__ = [
    "Frame",
    "Garbage",
    "WebSocketClient",
    "WebSocketFeed",
    "WebSocketOptions",
    "WebSocketStats",
    "parse_frame",
]
