"""What is traded, and the exchange's rules for it: steps, least sizes, fees. Amounts are never rounded up."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Literal

type MarketType = Literal["spot", "margin", "futures", "options"]
type ContractType = Literal["linear", "inverse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One market of one exchange.

    Attributes:
        exchange: Name in lower case, for instance `binance`.
        symbol: As the exchange writes it, for instance `BTCUSDT` or `BTC-USDT-SWAP`; logs and events say this.
        unified: As ccxt writes it, for instance `BTC/USDT:USDT`.
        market_type: Spot, margin, futures (perpetual ones too) or options.
        base: What is bought, for instance `BTC`.
        quote: What prices are in, for instance `USDT`.
        settle: What profit, margin and fees of a contract are in; the quote on spot.
        contract_type: `linear` (settled in the quote) or `inverse` (in the base); None on spot.
        contract_size: Base units of one contract of a linear one, quote units of an inverse one; 1 on spot.
        price_step: Prices are multiples of it.
        quantity_step: Quantities are multiples of it.
        min_quantity: Least quantity of an order.
        min_notional: Least price times quantity of an order, in the quote.
        max_quantity: Greatest quantity of an order; None where there is no such limit.
        maker_fee: Share of the notional, for instance `0.0002`; negative for a rebate.
        taker_fee: Share of the notional.
        max_leverage: Greatest leverage; 1 on spot.
        maintenance_margin: Share of the notional below which a position is liquidated.
    """

    exchange: str
    symbol: str
    unified: str
    market_type: MarketType
    base: str
    quote: str
    settle: str
    contract_type: ContractType | None = None
    contract_size: Decimal = Decimal(1)
    price_step: Decimal = Decimal("0.01")
    quantity_step: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    min_notional: Decimal = Decimal(5)
    max_quantity: Decimal | None = None
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    max_leverage: Decimal = Decimal(1)
    maintenance_margin: Decimal = Decimal("0.005")

    @property
    def is_contract(self) -> bool:
        """Whether what is held is a position with margin, not an asset."""
        return self.contract_type is not None

    def quantity(self, wanted: Decimal) -> Decimal:
        """`wanted` in whole steps, towards zero; 0 where that is less than one step."""
        return (wanted / self.quantity_step).to_integral_value(ROUND_DOWN) * self.quantity_step

    def price(self, wanted: Decimal) -> Decimal:
        """The nearest price there is."""
        return (wanted / self.price_step).to_integral_value(ROUND_HALF_EVEN) * self.price_step

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What `quantity` is worth at `price`, in the quote; the sign is the quantity's."""
        if self.contract_type == "inverse":
            return quantity * self.contract_size
        return quantity * self.contract_size * price

    def settled_value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What `quantity` is worth at `price`, in `settle`: fees and margin are shares of it."""
        notional = self.notional(quantity, price)
        return notional / price if self.contract_type == "inverse" else notional

    def profit(self, quantity: Decimal, entry_price: Decimal, price: Decimal) -> Decimal:
        """What `quantity` (negative when short) bought at `entry_price` gains at `price`, in `settle`."""
        if self.contract_type == "inverse":
            return quantity * self.contract_size * (1 / entry_price - 1 / price)
        return quantity * self.contract_size * (price - entry_price)
