"""What errors bring into their entries beyond message and traceback, and what is kept of a process that crashes."""
