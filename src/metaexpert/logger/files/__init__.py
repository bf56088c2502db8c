"""Log files on disk: written here, kept in `keeping`, proven in `evidence`, read back through `reader`."""
