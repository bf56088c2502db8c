"""The version of MetaExpert: the one place where it is written; pyproject.toml and the command line read it."""

__version__ = "0.1.0"
