"""The alert that a collector is down, and its resolution when it was back."""

from metaexpert.demo.desk.topic import Facts, Topic, finding, line_of
from metaexpert.demo.destinations import ALERT_TARGET, COLLECTORS, DOWN_RULE

_FIRING, _RESOLVED = "firing", "resolved"


def outage(facts: Facts) -> Topic:
    """Each word about each collector."""
    alerts = [entry for entry in facts.entries if entry["log_type"] == "alert" and "rule" in entry["extra"]]
    words = {
        sink: [entry["extra"]["state"] for entry in alerts if entry["extra"].get("group", {}).get("sink") == sink]
        for sink in COLLECTORS
    }
    figures = facts.stats.alerts
    rule = None if figures is None else figures.rules.get(DOWN_RULE)
    target = None if figures is None else figures.targets.get(ALERT_TARGET)
    return Topic(
        "A collector goes down and comes back: what the alert's target was told",
        [line_of(entry) for entry in alerts],
        [
            *(
                finding(f"an alert, and its resolution, for {sink}", _in_turn(states), states)
                for sink, states in words.items()
            ),
            finding("the rule is quiet again", rule is not None and rule.state == "quiet", rule),
            finding(
                "the target was told of each",
                target is not None and target.delivered + target.merged == len(alerts) and not target.pending,
                target,
            ),
        ],
    )


def _in_turn(states: list[str]) -> bool:
    """Whether it fired at least once, and each time was resolved."""
    return bool(states) and states == [_FIRING, _RESOLVED] * (len(states) // 2)
