"""Looks in all that a collector receives for texts it was told of, such as secrets that must not arrive. Pure.

Only counts are kept, by the names the texts were given: what was found is never repeated.
"""

from collections import Counter
from collections.abc import Iterable, Mapping


class Watch:
    """Texts that are looked for, and how many requests had them."""

    def __init__(self) -> None:
        self._texts: Mapping[str, bytes] = {}
        self.found: Counter[str] = Counter()

    def watch_for(self, texts: Mapping[str, str]) -> None:
        """Look for these from here on, in place of others."""
        self._texts = {name: text.encode() for name, text in texts.items() if text}
        self.found = Counter(dict.fromkeys(self._texts, 0))

    def look(self, parts: Iterable[bytes]) -> None:
        """Look at one request: its line and headers, its body as it came and decoded."""
        parts = tuple(parts)
        for name, text in self._texts.items():
            self.found[name] += any(text in part for part in parts)
