"""Finished log files kept: compressed, archived, deleted in time, held where they must stay, and given back."""
