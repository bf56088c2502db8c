"""Entries below a logger's level, kept in memory until what they belong to fails, and forgotten when it does not."""
