"""The points at which processes kill themselves: one in each stage that an entry passes on its way.

A test sees to it that each exists; a chain fails where a process never came to its point.
"""

from soak.points import Point

POINTS = (
    # in the call, at any of its lines
    Point("call", "_level_method.<locals>.method", "line", 1201),
    Point("call", "_emit", "line", 2003),
    Point("journal.journal", "Journal.protect", "line", 1117),
    Point("journal.room", "Room.append", "line", 1303),
    Point("journal.room", "Room.append", "return", 97),
    Point("ingress", "Ingress.put", "start", 707),
    Point("ingress", "Ingress.put", "return", 333),
    # where the journal goes on in another segment, and brings what it has to the disk
    Point("journal.room", "Room._turn", "start", 1),
    Point("journal.room", "Room.prepare", "line", 5),
    Point("journal.journal", "Journal.sync", "line", 9),
    # on the way through the loop
    Point("dispatcher", "Dispatcher._route", "line", 61),
    Point("journal.obligations", "Obligations.routed", "line", 17),
    Point("lanes", "Lanes.take", "return", 9),
    Point("writing", "Writing.write", "start", 7),
    Point("files.writer", "AppendFile.append", "return", 5),
    Point("sinks.http", "HttpClient.post", "start", 4),
    Point("settlement", "Settlement.delivered", "start", 6),
    Point("settlement", "Settlement.delivered", "return", 11),
    Point("journal.obligations", "Obligations.settled", "line", 211),
    Point("journal.segments", "JournalSegment.mark", "return", 53),
    # while it delivers what the process before it left
    Point("recovery", "Recovery.run", "line", 2),
    Point("recovery", "Recovery._hand_over", "return", 1),
    Point("recovery", "Recovery._tell", "start", 1),
    Point("recovery", "Recovery.discard_settled", "return", 1),
    # at its stop
    Point("journal.journal", "Journal.close", "line", 3),
)
