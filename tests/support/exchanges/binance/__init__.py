"""Binance spot and USD-M futures as they speak: REST, market streams, user data streams, signatures, errors."""
