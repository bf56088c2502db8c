"""What proves that log files are as they were written: chains, seals, keys, and their verification."""
