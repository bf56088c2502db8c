"""A sink's overflow on its way to disk and back (`spill*`), and the disk queue itself (the rest)."""
