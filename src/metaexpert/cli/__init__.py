"""The `metaexpert` command line."""

from metaexpert.cli.app import main

__all__ = ["main"]
