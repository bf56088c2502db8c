"""What a log call leaves on disk before it returns: the journal of protected entries and the flight recorder."""
