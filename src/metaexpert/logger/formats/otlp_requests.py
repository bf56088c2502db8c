"""From parts to an `ExportLogsServiceRequest`: records by the run that wrote them and by scope, in order within each.

Parts may come from an earlier run, out of a disk queue: they keep its instance id, and get no process id, since it
would be another's. Where a request has parts of both encodings all are sent as protobuf, which every receiver takes.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol, final

from metaexpert.logger.formats.otlp_json import JsonEnvelope, is_json, reencoded
from metaexpert.logger.formats.otlp_model import INSTANCE, PROCESS, Resource, Scopes
from metaexpert.logger.formats.otlp_protobuf import Protobuf, ProtobufEnvelope

_UID_WITHIN_BYTES: Final = 100
"""Within how much behind its scope a record's own id lies."""


class Envelope(Protocol):
    """What goes around records in one encoding."""

    @property
    def content_type(self) -> str:
        """A request's Content-Type, which must have no parameters: some receivers compare it as a whole."""
        ...

    def scope_bytes(self, part: bytes, /) -> int:
        """How much of a part is its scope."""
        ...

    def uid_of(self, part: bytes, /) -> str:
        """A part's `log.record.uid`."""
        ...

    def request(self, groups: Iterable[tuple[Resource, Scopes]], /) -> bytes:
        """A request of resources and their scopes' records."""
        ...


class Request(NamedTuple):
    """A request's body and its Content-Type."""

    body: bytes
    content_type: str


@final
class Requests:
    """Makes requests of one run.

    Args:
        boot_id: names the run.
        resource: its resource's attributes.
    """

    def __init__(self, boot_id: str, resource: Resource) -> None:
        self._boot_id = boot_id
        self._mark = f"{boot_id}-".encode()
        self._resource = resource
        self._protobuf = Protobuf()

    def of(self, parts: Sequence[bytes]) -> Request:
        """The request that carries these parts."""
        if all(map(is_json, parts)):
            return self._request(parts, JsonEnvelope())
        alike = [reencoded(part, self._protobuf) if is_json(part) else part for part in parts]
        return self._request(alike, ProtobufEnvelope())

    def _request(self, parts: Iterable[bytes], envelope: Envelope) -> Request:
        groups = self._grouped(parts, envelope)
        body = envelope.request((self._resource_of(run), scopes) for run, scopes in groups.items())
        return Request(body, envelope.content_type)

    def _grouped(self, parts: Iterable[bytes], envelope: Envelope) -> dict[str, dict[bytes, list[bytes]]]:
        groups: dict[str, dict[bytes, list[bytes]]] = {}
        scope, size = b"\xff", 1
        for part in parts:
            if not part.startswith(scope):
                size = envelope.scope_bytes(part)
                scope = part[:size]
            is_own = part.find(self._mark, size, size + _UID_WITHIN_BYTES) >= 0
            run = self._boot_id if is_own else envelope.uid_of(part).rpartition("-")[0]
            groups.setdefault(run, {}).setdefault(scope, []).append(part[size:])
        return groups

    def _resource_of(self, run: str) -> Resource:
        """This run's resource, or what of it holds for another run of this service on this machine."""
        if run == self._boot_id:
            return self._resource
        own_instance = self._resource.get(INSTANCE) == self._boot_id
        changed: Resource = {INSTANCE: run} if own_instance else {}
        return {key: value for key, value in self._resource.items() if key != PROCESS} | dict(changed)
