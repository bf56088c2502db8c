"""Log files on disk: appending and rotating."""
