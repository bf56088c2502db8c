"""The `metaexpert` command line."""

from metaexpert.cli.quick import main

__all__ = ["main"]
