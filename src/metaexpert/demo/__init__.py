"""The demo: an expert, an exchange and a failing collector on loopback, every ledger compared with what arrived."""

import sys
from collections.abc import Sequence

from metaexpert.exceptions import MetaExpertError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Args:
        argv: Its command line; `--help` lists the options.

    Returns:
        0 when every check passed; 1 when one failed, named on standard output; 2 when it could not run.
    """
    # imported here, because the collector's process imports this package too and needs none of it
    from metaexpert.demo.session import run  # noqa: PLC0415

    try:
        return run(sys.argv[1:] if argv is None else argv)
    except MetaExpertError as error:
        sys.stderr.write(f"{error}\n")
        return 2
