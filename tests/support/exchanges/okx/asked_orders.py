"""What an OKX order request asks for, in the exchange's common words."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from support.exchanges.instruments import Instrument, Kind
from support.exchanges.orders import Lasting, NewOrder, Trigger

_LASTING = {"ioc": Lasting.IOC, "fok": Lasting.FOK, "post_only": Lasting.POST_ONLY, "optimal_limit_ioc": Lasting.IOC}
_LEGS = {"": "both", "net": "both", "long": "long", "short": "short"}
_MARKET = {"market", "optimal_limit_ioc"}


def asked_order(row: Mapping[str, Any], instrument: Instrument) -> NewOrder:
    """The order of one row of a request."""
    asked = {name: "" if value is None else str(value) for name, value in row.items()}
    kind, trigger = asked["ordType"], _trigger(asked)
    stop, limit = _stop(asked), _limit(asked)
    spends = instrument.kind is Kind.SPOT and kind == "market" and _unit(asked) == "quote_ccy"
    size = Decimal(asked.get("sz") or "0")
    return NewOrder(
        instrument,
        asked["side"],
        Decimal(0) if spends else size,
        None if kind in _MARKET else limit,
        asked.get("clOrdId") or asked.get("algoClOrdId") or "",
        _LASTING.get(kind, Lasting.GTC),
        trigger,
        reduce_only=instrument.kind is not Kind.SPOT and asked.get("reduceOnly", "").lower() == "true",
        leg=_LEGS[asked.get("posSide", "")],
        quote_quantity=size if spends else None,
        request={name: asked.get(name, "") for name in ("ordType", "tdMode", "tgtCcy", "tag")} | {"stop": stop},
    )


def _unit(asked: Mapping[str, str]) -> str:
    return asked.get("tgtCcy") or ("quote_ccy" if asked["side"] == "buy" else "base_ccy")


def _stop(asked: Mapping[str, str]) -> str:
    if asked.get("slTriggerPx"):
        return "sl"
    return "tp" if asked.get("tpTriggerPx") else ""


def _limit(asked: Mapping[str, str]) -> Decimal | None:
    name = {"sl": "slOrdPx", "tp": "tpOrdPx"}.get(_stop(asked), "orderPx" if asked.get("triggerPx") else "px")
    price = asked.get(name) or "-1"
    return None if price == "-1" else Decimal(price)


def _trigger(asked: Mapping[str, str]) -> Trigger | None:
    stop = _stop(asked)
    if stop:
        rises = (stop == "sl") == (asked["side"] == "buy")
        return Trigger(Decimal(asked[f"{stop}TriggerPx"]), rises)
    return Trigger(Decimal(asked["triggerPx"])) if asked.get("triggerPx") else None
