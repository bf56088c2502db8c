"""The orders of the run as `metaexpert logs trades` tells them from the trade log, against the broker's own count."""

from collections import Counter
from decimal import Decimal
from typing import Final

from metaexpert.demo.desk.topic import Facts, Topic, finding

_ENDS: Final = ("filled", "cancelled", "rejected")
_OF_STRATEGY: Final = "paper-"


def orders(facts: Facts) -> Topic:
    """Two orders' lives, as a table and as JSON; all of them counted."""
    rows = [row for row in facts.rows if row["order_id"].startswith(_OF_STRATEGY)]
    told = Counter(str(row["state"]) for row in rows)
    worked = Counter({end: count for end, count in facts.counts.items() if count})
    remarked = [row["order_id"] for row in rows if row["remarks"]]
    by_id = {row["order_id"]: row for row in rows}
    taken, refused = by_id.get(facts.taken), by_id.get(facts.refused)
    partly = [
        row["order_id"]
        for row in rows
        if row["state"] == "filled" and Decimal(row["filled_quantity"]) != Decimal(row["quantity"])
    ]
    return Topic(
        "An order that the exchange took and one that it refused: metaexpert logs trades, as a table and as JSON",
        [*facts.table.text.splitlines(), "", facts.shown_json],
        [
            finding("the order report ends well", facts.table.status == 0, facts.table.errors),
            finding("orders ended as the broker counted", told == worked, f"{dict(told)} against {dict(worked)}"),
            finding("no order that cannot have been", not remarked, f"remarks on {remarked[:3]}"),
            finding("what is filled is filled in whole", not partly, f"{partly[:3]}"),
            finding(
                "the desk's order ended",
                taken is not None and taken["state"] in _ENDS[:2] and facts.taken in facts.table.text,
                taken,
            ),
            finding(
                "the order too large was rejected",
                refused is not None and refused["state"] == _ENDS[2] and facts.refused in facts.table.text,
                refused,
            ),
        ],
    )
