"""The trace an entry belongs to: taken from OpenTelemetry or begun here, carried on in aiohttp's requests."""
