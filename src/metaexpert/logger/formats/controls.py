"""Control characters and bidirectional overrides as escapes, for lines that people read; pure."""

import re
from typing import Final

_UNSAFE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


def neutralised(text: str) -> str:
    """`text` with everything that could break out of its line written as an escape."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
