"""Local exchanges for tests."""

from .binance.server import BinanceServer
from .bybit.server import BybitServer
from .clock import Clock
from .pointing import point
from .refusals import Reason
from .server import Credentials

__all__ = ["BinanceServer", "BybitServer", "Clock", "Credentials", "Reason", "point"]
