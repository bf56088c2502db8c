"""Kills and outages at full size, for minutes to hours; CI runs the same in short (tests/integration/durability).

The parent starts real logging processes, kills some, and compares what came of their calls with what files and a
collector hold.
"""
