"""Entry of ``python scripts/bench``: makes the package importable by name and hands over to the command line.

Python puts this folder itself on the module path, where ``profile`` or ``stats`` would hide the standard library's
modules; its parent takes that place before anything else is imported.
"""

import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)
runpy.run_module("bench.cli", run_name="__main__", alter_sys=True)
