"""The exchanges: market data, history, instruments and orders over ccxt, one thin adapter each."""
