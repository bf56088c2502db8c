"""Entry of ``python scripts/soak``: makes the package importable by name and hands over to the command line.

Python puts this folder itself on the module path; its parent takes that place before anything else is imported.
"""

import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)
runpy.run_module("soak.cli", run_name="__main__", alter_sys=True)
