"""While these tests run, nothing of this process may reach out past loopback."""

import sys
from collections.abc import Iterator

import pytest

_LOCAL = ("127.", "localhost", "::1")


class _Guard:
    """Refuses addresses; an audit hook cannot be taken away again, so it is switched."""

    def __init__(self) -> None:
        self.on = False
        self.refused: list[object] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on or event not in {"socket.connect", "socket.getaddrinfo"}:
            return
        address = arguments[1] if event == "socket.connect" else arguments[0]
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(host, str) and host and not host.startswith((*_LOCAL, "/")):
            self.refused.append(host)
            raise ConnectionRefusedError(f"a test reached out to {host}")


_guard = _Guard()


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Fail the test that connects, or looks up a name, anywhere else."""
    _guard.on = True
    _guard.refused.clear()
    yield
    _guard.on = False
    assert _guard.refused == []
