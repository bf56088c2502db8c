"""The loggers under measurement, one file for each library, all behind ``base.Peer``."""
