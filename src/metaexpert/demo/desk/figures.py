"""How the process and its clock did, as entries of the main log say."""

from metaexpert.demo.desk.topic import Facts, Topic, finding, line_of


def figures(facts: Facts) -> Topic:
    """The last word on performance, the first on the clock."""
    performance = [entry for entry in facts.entries if entry["log_type"] == "performance"]
    clock = [entry for entry in facts.entries if entry["log_type"] == "clock"]
    told = [entry["extra"] for entry in performance]
    return Topic(
        "How the process and its clock did",
        [line_of(entry) for entry in (*performance[-1:], *clock[:1])],
        [
            finding("performance was told", bool(told), len(told)),
            finding("with event loop, memory and queues", bool(told) and all(map(_is_whole, told)), told[-1:]),
            finding(
                "with the exchange's response times",
                any(name.startswith("api.") for each in told for name in each.get("timers", {})),
                [sorted(each.get("timers", {})) for each in told],
            ),
            finding(
                "the clock's quality was told",
                bool(clock) and all("source" in entry["extra"] for entry in clock),
                [entry["extra"] for entry in clock],
            ),
        ],
    )


def _is_whole(told: dict[str, object]) -> bool:
    return {"loop_lag", "memory_rss_bytes", "queues"} <= told.keys()
