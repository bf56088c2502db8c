"""The version stands in one place; everything else reads it."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import metaexpert
from metaexpert.__version__ import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_version_is_semantic() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", __version__)


def test_package_and_installed_metadata_tell_the_same_version() -> None:
    assert metaexpert.__version__ == __version__
    assert version("metaexpert") == __version__


def test_no_other_file_of_the_package_or_the_build_repeats_the_version() -> None:
    files = [ROOT / "pyproject.toml", *(ROOT / "src").rglob("*.py")]
    repeating = [path.name for path in files if f'"{__version__}"' in path.read_text(encoding="utf-8")]
    assert repeating == ["__version__.py"]


def test_importing_the_package_imports_none_of_its_parts() -> None:
    code = "import sys, metaexpert; print([name for name in sys.modules if name.startswith('metaexpert.')])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "['metaexpert.__version__']"


def test_package_ships_its_types() -> None:
    assert (Path(metaexpert.__file__).parent / "py.typed").exists()
