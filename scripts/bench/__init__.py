"""The benchmark: metaexpert.logger beside its peers, every measurement in a process of its own.

Run as ``python scripts/bench``. Every figure belongs to entries that were counted where they had to arrive (file or
collector); a figure for entries that did not arrive does not exist.
"""
