"""Trade entries: the typed events, what is checked of each, and what makes sense one after the other."""
