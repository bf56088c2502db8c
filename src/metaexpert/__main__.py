"""`python -m metaexpert` is the `metaexpert` command."""

from metaexpert.cli import main

if __name__ == "__main__":
    main()
