"""Log files read back: found, unpacked, scanned, merged, followed, and what they tell in figures."""
