"""Entry to bytes, one format a file; pure: the same entry always gives the same bytes."""
