"""`python -m metaexpert.demo` runs the demo."""

import sys

from metaexpert.demo import main

if __name__ == "__main__":
    sys.exit(main())
