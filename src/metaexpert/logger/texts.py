"""Text as UTF-8 can hold it, cut at a bound.

Results are exact `str`s: a subclass could still run code of its own. A text is sliced before anything else looks at
it, so that one of 10 MB costs what its kept part costs.
"""

from typing import Final

MAX_ENTRY_BYTES: Final = 64 * 1024


def is_utf8(text: str) -> bool:
    """Whether `text` has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8_size(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def exact(text: str) -> str:
    """The characters of `text` without what a subclass may have made of them."""
    return text if type(text) is str else str.__str__(text)


def safe_text(text: str, limit_bytes: int = MAX_ENTRY_BYTES) -> str:
    """`text` as UTF-8 can hold it, cut to `limit_bytes` with a mark; lone surrogates become escapes."""
    size = str.__len__(text)
    cut = size - limit_bytes
    text = str.__getitem__(text, slice(0, limit_bytes)) if cut > 0 else exact(text)
    if cut <= 0 and text.isascii():
        return text
    if not is_utf8(text):
        text = text.encode("utf-8", "backslashreplace").decode()
    if utf8_size(text) > limit_bytes:
        kept = text.encode()[:limit_bytes].decode("utf-8", "ignore")
        cut, text = max(cut, 0) + len(text) - len(kept), kept
    return f"{text}…[cut {cut} characters]" if cut > 0 else text


def safe_ends(text: str, limit_bytes: int) -> str:
    """As `safe_text`, but what is too much is cut out of the middle: a quarter is kept before it, the rest after it."""
    if len(text) <= limit_bytes:
        data = _escaped(text)
        if len(data) <= limit_bytes:
            return data.decode()
    head_bytes = limit_bytes // 4
    tail_bytes = limit_bytes - head_bytes
    head = _escaped(text[:head_bytes])[:head_bytes].decode("utf-8", "ignore")
    tail = _escaped(text[max(head_bytes, len(text) - tail_bytes) :])[-tail_bytes:].decode("utf-8", "ignore")
    return f"{head}…[cut {max(len(text) - len(head) - len(tail), 1)} characters]…{tail}"


def _escaped(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
