"""Where exchanges differ in what they do, not in how they say it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from .instruments import Instrument, Kind


def _one_wallet(_: Instrument) -> str:
    return "unified"


def wallet_by_kind(instrument: Instrument) -> str:
    """Spot and contracts are paid from wallets of their own."""
    return instrument.kind.value


def _no_spawning(_: Instrument) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Rules:
    """How an exchange behaves.

    Attributes:
        post_only_refused: a post-only order that would take is refused; otherwise it is accepted and canceled.
        client_id_form: what a client id must match.
        client_ids_return: a client id may be used again once its order is done; otherwise never.
        trigger_makes_order: for these a trigger makes another order with an id of its own.
    """

    wallet_of: Callable[[Instrument], str] = _one_wallet
    post_only_refused: bool = False
    client_id_form: str = r"[A-Za-z0-9_-]{1,36}"
    client_ids_return: bool = False
    trigger_makes_order: Callable[[Instrument], bool] = _no_spawning
    maker_fee: Mapping[Kind, Decimal] = field(
        default_factory=lambda: {
            Kind.SPOT: Decimal("0.001"),
            Kind.LINEAR: Decimal("0.0002"),
            Kind.INVERSE: Decimal("0.0002"),
        }
    )
    taker_fee: Mapping[Kind, Decimal] = field(
        default_factory=lambda: {
            Kind.SPOT: Decimal("0.001"),
            Kind.LINEAR: Decimal("0.0005"),
            Kind.INVERSE: Decimal("0.0005"),
        }
    )
