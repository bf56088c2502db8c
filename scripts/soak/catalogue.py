"""The points at which processes kill themselves: one in each stage that an entry passes on its way.

A test sees to it that each exists; a chain fails where a process never came to its point.
"""

from soak.points import Point

POINTS = (
    # in the call, at any of its lines
    Point("call", "_level_method.<locals>.method", "line", 1201),
    Point("call", "_emit", "line", 2003),
    Point("ingress", "Ingress.put", "start", 707),
    Point("ingress", "Ingress.put", "return", 333),
    # on the way through the loop
    Point("dispatcher", "Dispatcher._route", "line", 61),
    Point("lanes", "Lanes.take", "return", 9),
    Point("delivery", "Delivery._write", "start", 7),
    Point("files.writer", "AppendFile.append", "return", 5),
    Point("sinks.http", "HttpSink.post", "start", 4),
    Point("settlement", "Settlement.delivered", "start", 6),
    Point("settlement", "Settlement.delivered", "return", 11),
)
