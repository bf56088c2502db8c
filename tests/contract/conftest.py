"""Puts the tests' own helpers on the import path, which pytest's importlib mode leaves to the project."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
