"""While these tests run, nothing of this process may reach out past loopback."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

_LOCAL = ("127.", "localhost", "::1", "/")


@pytest.fixture(autouse=True)
def reached_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Refuse and name every other host that is connected to or looked up; a test that leaves one there fails."""
    refused: list[object] = []

    def checked(host: object) -> None:
        if isinstance(host, str) and host and not host.startswith(_LOCAL):
            refused.append(host)
            raise ConnectionRefusedError(f"a test reached out to {host}")

    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        checked(address[0] if isinstance(address, tuple) else address)
        connect(self, address)

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        checked(host)
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield refused
    assert refused == []
