"""Destinations, one a file: options in `config`, here how an entry is encoded, a batch written and the answer read."""
