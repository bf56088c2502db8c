"""How good this machine's clock is, where that is known: jumps, offset to UTC, error bound; times are never changed."""

from metaexpert.logger.clock.exchange import exchange_time

__all__ = ["exchange_time"]
