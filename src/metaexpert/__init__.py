"""MetaExpert: crypto trading experts in Python, and the asyncio-native logger they log with.

Importing this package starts nothing and imports none of its parts; `metaexpert.logger` stands on its own.
"""

from metaexpert.__version__ import __version__

__all__ = ["__version__"]
