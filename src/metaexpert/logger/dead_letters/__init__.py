"""What destinations refused for good, kept on disk and looked at from outside."""
