"""An error that came ten times: once with traceback and redacted local variables, then as a reference to that."""

from typing import Any

from metaexpert.demo.desk.reconcile import ATTEMPTS, LOGGER, MESSAGE
from metaexpert.demo.desk.topic import Facts, Topic, finding, line_of, named

_REDACTED = "[REDACTED]"


def repeated(facts: Facts) -> Topic:
    """The first one whole, the last one."""
    errors = named(facts.entries, LOGGER, MESSAGE)
    told: list[dict[str, Any]] = [entry.get("exception", {}) for entry in errors]
    first: dict[str, Any] = told[0] if told else {}
    values: list[dict[str, str]] = [
        frame["values"] for frame in first.get("locals", ()) if "api_secret" in frame["values"]
    ]
    hidden = bool(values) and all(
        frame["api_secret"] == _REDACTED and _REDACTED in frame["asked"] for frame in values if "asked" in frame
    )
    references = [(each.get("same_as"), each.get("seen")) for each in told[1:]]
    wanted = [(errors[0]["id"], seen) for seen in range(2, ATTEMPTS + 1)] if errors else []
    again = [each["traceback"] for each in told[1:] if "Traceback" in each["traceback"] and "locals" in each]
    lines = [line_of(errors[0]), *first.get("traceback", "").splitlines()] if errors else []
    lines += [f"    {name} = {value}" for frame in values for name, value in frame.items()]
    lines += [f"{line_of(errors[-1])} same_as={references[-1][0]} seen={references[-1][1]}"] if references else []
    return Topic(
        f"An error that came {ATTEMPTS} times: whole once, its local variables redacted, then as a reference",
        lines,
        [
            finding("every error is an entry", len(errors) == ATTEMPTS, len(errors)),
            finding("the first with its traceback", "in reconcile" in first.get("traceback", ""), first),
            finding("its local variables redacted", hidden, first.get("locals")),
            finding("the others refer to it and count", references == wanted and not again, references),
        ],
    )
