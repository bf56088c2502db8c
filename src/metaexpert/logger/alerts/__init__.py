"""Alerts: rules over entries and statistics, what they say, and who is told."""
