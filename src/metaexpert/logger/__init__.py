"""Asyncio-native structured logging that never awaits, never blocks the event loop, and always says what it dropped.

The public names stand in `public.py` and are imported all together when the first one is asked for, but for those that
modules log with, which need nothing of what writes: who only reads log files, as the command line does, needs neither.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metaexpert.logger.public import *  # noqa: F403 - what `__getattr__` hands out
    from metaexpert.logger.public import __all__ as __all__
else:
    from importlib import import_module
    from importlib.machinery import PathFinder

    _LOGGED_WITH = {
        "BoundLogger": "logger",
        "LogContext": "legacy_context",
        "Logger": "logger",
        "TradeContext": "legacy_context",
        "bind_contextvars": "legacy_context",
        "clear_contextvars": "legacy_context",
        "get_logger": "logger",
        "get_trade_logger": "typed_logger",
        "lazy": "values",
        "log_context": "logger",
        "unbind_contextvars": "legacy_context",
    }
    """Where the names stand that need neither options nor sinks."""

    def __getattr__(name: str) -> object:
        """A public name, asked for the first time; modules of the package are left to the import system."""
        if name in _LOGGED_WITH:
            found = globals()[name] = getattr(import_module(f"{__name__}.{_LOGGED_WITH[name]}"), name)
            return found
        is_special = name.startswith("_") and name != "__all__"
        if not is_special and PathFinder.find_spec(f"{__name__}.{name}", globals()["__path__"]) is None:
            public = import_module(f"{__name__}.public")
            globals().update({each: getattr(public, each) for each in ("__all__", *public.__all__)})
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *import_module(f"{__name__}.public").__all__})
