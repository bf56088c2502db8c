"""Local exchanges for tests."""

from .binance.server import BinanceServer
from .bybit.server import BybitServer
from .clock import Clock
from .okx.server import OkxServer
from .pointing import point
from .refusals import Reason
from .server import Credentials

__all__ = ["BinanceServer", "BybitServer", "Clock", "Credentials", "OkxServer", "Reason", "point"]
