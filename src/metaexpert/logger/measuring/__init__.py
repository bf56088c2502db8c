"""How the program does: timers, gauges and counters, sampled at an interval, and exposed to Prometheus."""
