"""Bybit v5 as it speaks: spot, linear and inverse from one unified account, REST and streams."""
