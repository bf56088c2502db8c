"""What enters the pipeline beside the calls of our own loggers."""

from metaexpert.logger.options.base import Options


class CaptureOptions(Options):
    """What is taken in beside the calls of our own loggers."""

    stdlib: bool = True
    """The records of other people's stdlib loggers (aiohttp, ccxt, asyncio, …) that reach the root logger."""
    warnings: bool = True
    """What `warnings.warn` says, under the logger `py.warnings`."""
    exceptions: bool = True
    """Exceptions nobody caught: sys, threading, unraisable ones, and those of the event loop's tasks and callbacks."""
