"""A paper broker's state as JSON can have it, and back: decimals are strings, so that nothing is rounded."""

from collections.abc import Mapping
from typing import Final

from pydantic import TypeAdapter, ValidationError

from metaexpert.broker.paper.state import State
from metaexpert.core.instrument import Instrument
from metaexpert.exceptions import MetaExpertError

VERSION: Final = 1
_REMEDY: Final = "remove it to begin with fresh capital, or put back a copy that is whole"
_STATE: Final = TypeAdapter(State)


def dumped(state: State, *, hedge: bool) -> dict[str, object]:
    """The state with what it must fit to."""
    return {"version": VERSION, "hedge": hedge, "state": _STATE.dump_python(state, mode="json")}


def loaded(snapshot: Mapping[str, object], instruments: Mapping[str, Instrument], *, hedge: bool) -> State:
    """The state of a snapshot.

    Raises:
        MetaExpertError: It is damaged, of another version or mode, or of symbols that are not among `instruments`.
    """
    if snapshot.get("version") != VERSION:
        raise MetaExpertError(
            f"the paper broker's state is of version {snapshot.get('version')!r}, not {VERSION}; {_REMEDY}"
        )
    try:
        state = _STATE.validate_python(snapshot.get("state"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "state"
        raise MetaExpertError(f"the paper broker's state is damaged at {place}: {first['msg']}; {_REMEDY}") from None
    _check(state, instruments)
    if snapshot.get("hedge") is not hedge and (state.holdings or state.orders):
        raise MetaExpertError(
            f"the paper broker's state is of hedge={snapshot.get('hedge')!r}, the expert's position_mode says "
            f"hedge={hedge}; run it as before to close its positions and orders, or {_REMEDY}"
        )
    return state


def _check(state: State, instruments: Mapping[str, Instrument]) -> None:
    traded = {symbol for symbol, sides in state.holdings.items() if any(each.quantity for each in sides.values())}
    strange = sorted((traded | set(state.orders)) - set(instruments))
    if strange:
        raise MetaExpertError(
            f"the paper broker's state has positions or orders of {', '.join(strange)}, which are not traded now; "
            f"trade them again to close them, or {_REMEDY}"
        )
    for asset, amount in state.balances.items():
        if amount < 0:
            raise MetaExpertError(f"the paper broker's state is damaged: balance of {asset} is {amount}; {_REMEDY}")
    for orders in state.orders.values():
        for order_id, order in orders.items():
            if order.request.order_id != order_id or not 0 <= order.filled < order.request.quantity:
                raise MetaExpertError(f"the paper broker's state is damaged at order {order_id}; {_REMEDY}")
