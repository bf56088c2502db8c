"""How the program does: timers, gauges and counters, sampled at an interval, and exposed to Prometheus."""

from metaexpert.logger.measuring.host import market_data, order_delay

__all__ = ["market_data", "order_delay"]
