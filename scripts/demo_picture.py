"""Draws docs/images/demo.svg: the real report of a real run of the demo.

`.venv/bin/python scripts/demo_picture.py` runs the demo once and replaces the picture.
"""

import asyncio
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from metaexpert.demo.options import DemoOptions
from metaexpert.demo.report import print_ledgers
from metaexpert.demo.scenario import run_demo

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "demo.svg"
WIDTH = 92
WEB_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
"""Rich names fonts on a server elsewhere; a picture of ours loads nothing."""


def main() -> None:
    """Run, draw, write."""
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run_demo(DemoOptions(plain=True), Path(folder), Console()))
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    print_ledgers(report, console)
    svg = WEB_FONTS.sub("", console.export_svg(title="metaexpert demo", unique_id="demo"))
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
