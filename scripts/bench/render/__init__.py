"""The report, as text for a terminal, a page and a chart; all from ``sections``, so that they cannot disagree."""
