"""The exchange that all three dialects speak for: it accepts, matches, triggers, amends and cancels orders.

An order takes what the public book offers within its limit; the rest stands until the price comes to it (then it is
filled whole, as maker, at its own limit), or goes, as its time in force says. Everything is synchronous: when a call
returns, every listener has heard what it did.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from .accounts import Account, Position, spot_flows
from .amounts import booked, rounded_down
from .checks import check_funds, check_order, check_trigger
from .clock import Clock
from .events import AccountChanged, Event, OrderChanged
from .instruments import Instrument, Kind
from .market import Listing, Market
from .orders import Change, Fill, Lasting, NewOrder, Order, Status
from .refusals import Reason, RefusedError
from .rules import Rules

_ZERO = Decimal(0)


class Exchange:
    """Market, account and orders in one.

    Attributes:
        orders: every accepted order by id, in order of acceptance.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        balances: Mapping[str, Mapping[str, Decimal]],
        rules: Rules,
        clock: Clock,
    ) -> None:
        self.rules = rules
        self.clock = clock
        self.market = Market(instruments, clock)
        self.account = Account({wallet: dict(assets) for wallet, assets in balances.items()})
        self.orders: dict[int, Order] = {}
        self._order_ids = itertools.count(8_800_001)
        self._fill_ids = itertools.count(700_001)

    # ---- what the price does ----------------------------------------------------------------------------------

    def move_price(self, name: str, price: Decimal) -> None:
        """Move the price of all that answer to a name; fill and trigger what it reaches."""
        for listing in self.market.move_price(name, price):
            self._fill_reached(listing)
            self._wake_reached(listing)

    def fill(self, order: Order, quantity: Decimal, price: Decimal | None = None) -> None:
        """Execute a part of a standing order as maker, at its limit or another price."""
        self._book_fill(order, price or order.limit or self.listing(order.instrument).price, quantity, maker=True)

    def listing(self, instrument: Instrument) -> Listing:
        """The market of an instrument."""
        return self.market.listings[instrument]

    # ---- what the client does ---------------------------------------------------------------------------------

    def place(self, new: NewOrder) -> Order:
        """Accept an order.

        Raises:
            RefusedError: it is not accepted; nothing has changed.
        """
        quantity = self._quantity(new)
        self._check(new, quantity)
        order = self._accept(new, quantity)
        self.tell(OrderChanged(order, Change.NEW))
        self._tell_locks(order)
        if order.trigger is None:
            self._execute(order)
        return order

    def cancel(self, order: Order) -> Order:
        """Take an order back.

        Raises:
            RefusedError: it is not open any more.
        """
        if not order.open:
            raise RefusedError(Reason.NOT_OPEN)
        self._end(order, Status.CANCELED, Change.CANCELED)
        return order

    def amend(self, order: Order, quantity: Decimal | None, limit: Decimal | None, trigger: Decimal | None) -> Order:
        """Give an open order another quantity, limit or trigger.

        Raises:
            RefusedError: it is not open, or the new values are refused.
        """
        if not order.open:
            raise RefusedError(Reason.NOT_OPEN)
        wanted = quantity or order.quantity, limit or order.limit
        if wanted == (order.quantity, order.limit) and not trigger:
            raise RefusedError(Reason.UNCHANGED)
        check_order(order.instrument, wanted[0], wanted[1], self.listing(order.instrument).price)
        order.quantity, order.limit = wanted
        if trigger and order.trigger:
            order.trigger = type(order.trigger)(trigger, order.trigger.rising)
        order.updated_ms = self.clock.now_ms()
        self.tell(OrderChanged(order, Change.AMENDED))
        if order.status is not Status.UNTRIGGERED:
            self._execute(order)
        return order

    def open_orders(self, instrument: Instrument | None = None) -> list[Order]:
        """The orders that can still be filled."""
        return [o for o in self.orders.values() if o.open and instrument in {None, o.instrument}]

    def find(self, order_id: str | None, client_id: str | None) -> Order:
        """The order with this id, or the latest with this client id.

        Raises:
            RefusedError: there is none.
        """
        if order_id:
            found = self.orders.get(int(order_id)) if order_id.isdigit() else None
        else:
            found = next((o for o in reversed(self.orders.values()) if client_id and o.client_id == client_id), None)
        if found is None:
            raise RefusedError(Reason.UNKNOWN_ORDER)
        return found

    def set_leverage(self, instrument: Instrument, leverage: Decimal) -> None:
        """Set a contract's leverage.

        Raises:
            RefusedError: below one or above what the contract allows.
        """
        if not 1 <= leverage <= instrument.max_leverage:
            raise RefusedError(Reason.LEVERAGE)
        self.account.settings(instrument).leverage = leverage

    def set_isolated(self, instrument: Instrument, *, isolated: bool) -> None:
        """Set a contract's margin mode.

        Raises:
            RefusedError: it is so already, or a position or order stands in the way.
        """
        settings = self.account.settings(instrument)
        if settings.isolated == isolated:
            raise RefusedError(Reason.MARGIN_MODE_SET)
        if self._busy(instrument):
            raise RefusedError(Reason.POSITION_EXISTS)
        settings.isolated = isolated

    def set_hedged(self, *, hedged: bool) -> None:
        """Hold long and short positions apart, or not.

        Raises:
            RefusedError: it is so already, or a position or order stands in the way.
        """
        if self.account.hedged == hedged:
            raise RefusedError(Reason.POSITION_MODE_SET)
        contracts = [i for i in self.market.instruments if i.kind is not Kind.SPOT]
        if any(self._busy(instrument) for instrument in contracts):
            raise RefusedError(Reason.POSITION_EXISTS)
        self.account.hedged = hedged

    # ---- money ------------------------------------------------------------------------------------------------

    def locked(self, wallet: str, asset: str) -> Decimal:
        """What open orders keep back in a wallet."""
        orders = [o for o in self.open_orders() if self.rules.wallet_of(o.instrument) == wallet]
        return self.account.order_locks(orders, asset)

    def positions_in(self, wallet: str) -> list[Position]:
        """The positions that are paid from a wallet."""
        return [p for p in self.account.held() if self.rules.wallet_of(p.instrument) == wallet]

    def unrealised(self, wallet: str, asset: str) -> Decimal:
        """What the positions of a wallet would bring now, in an asset."""
        held = [p for p in self.positions_in(wallet) if p.instrument.settle == asset]
        return sum((p.profit(self.listing(p.instrument).price) for p in held), _ZERO)

    def available(self, wallet: str, asset: str) -> Decimal:
        """What can be used for another order."""
        bound = self.locked(wallet, asset) + self.account.position_margin(self.positions_in(wallet), asset)
        return self.account.total(wallet, asset) + self.unrealised(wallet, asset) - bound

    # ---- inside -----------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Tell the listeners what happened."""
        for listener in self.market.listeners:
            listener(event)

    def _busy(self, instrument: Instrument) -> bool:
        held = any(position.instrument == instrument for position in self.account.held())
        return held or bool(self.open_orders(instrument))

    def _quantity(self, new: NewOrder) -> Decimal:
        if new.quote_quantity is None:
            return new.quantity
        left, quantity = new.quote_quantity, _ZERO
        for price, offered in self.listing(new.instrument).book.available(new.side, None):
            taken = min(offered, left / price)
            quantity, left = quantity + taken, left - taken * price
        return rounded_down(quantity, new.instrument.lot)

    def _check(self, new: NewOrder, quantity: Decimal) -> None:
        listing = self.listing(new.instrument)
        check_order(new.instrument, quantity, new.limit, listing.price)
        check_trigger(new, listing.price)
        self._check_client_id(new.client_id)
        self._check_leg(new)
        takes = listing.book.available(new.side, new.limit)
        if new.lasting is Lasting.POST_ONLY and takes and self.rules.post_only_refused:
            raise RefusedError(Reason.POST_ONLY)
        if not new.reduce_only:
            check_funds(self, new, quantity)

    def _check_client_id(self, client_id: str) -> None:
        if client_id and not re.fullmatch(self.rules.client_id_form, client_id):
            raise RefusedError(Reason.BAD_CLIENT_ID)
        clashing = [o for o in self.orders.values() if client_id and o.client_id == client_id]
        if any(o.open or not self.rules.client_ids_return for o in clashing):
            raise RefusedError(Reason.DUPLICATE_CLIENT_ID)

    def _check_leg(self, new: NewOrder) -> None:
        if new.instrument.kind is Kind.SPOT:
            return
        if (new.leg != "both") != self.account.hedged:
            raise RefusedError(Reason.POSITION_SIDE)
        if _closes(new) and new.trigger is None and not self._closable(new.instrument, new.leg, new.side):
            raise RefusedError(Reason.REDUCE_ONLY)

    def _closable(self, instrument: Instrument, leg: str, side: str) -> Decimal:
        return self.account.position(instrument, leg, self.clock.now_ms()).closable(side)

    def _accept(self, new: NewOrder, quantity: Decimal) -> Order:
        now_ms, number = self.clock.now_ms(), next(self._order_ids)
        trigger = new.trigger
        if trigger and trigger.rising is None:
            trigger = type(trigger)(trigger.price, trigger.price > self.listing(new.instrument).price)
        order = Order(
            number, new.client_id, new.instrument, new.side, quantity, new.limit, new.lasting, trigger,
            new.reduce_only, new.leg, now_ms, now_ms, Status.UNTRIGGERED if trigger else Status.NEW, new.request,
            new.quote_quantity,
        )  # fmt: skip
        self.orders[number] = order
        return order

    def _execute(self, order: Order) -> None:
        book = self.listing(order.instrument).book
        takes = list(self._takes(order, book.available(order.side, order.limit)))
        if order.lasting is Lasting.POST_ONLY and takes:
            self._end(order, Status.CANCELED, Change.CANCELED, "post-only")
            return
        whole = sum((quantity for _, quantity in takes), _ZERO) >= order.remaining
        if order.lasting is Lasting.FOK and not whole:
            self._end(order, Status.EXPIRED, Change.EXPIRED, "fok")
            return
        if takes:
            self._take(order, takes)
        if order.open and (order.limit is None or order.lasting is Lasting.IOC):
            self._end(order, Status.EXPIRED, Change.EXPIRED, "ioc" if order.limit else "no liquidity")

    def _takes(self, order: Order, offers: list[tuple[Decimal, Decimal]]) -> Iterator[tuple[Decimal, Decimal]]:
        left = self._allowed(order)
        funds = self._funds(order)
        for price, offered in offers:
            payable = offered if funds is None else rounded_down(funds / price, order.instrument.lot)
            if taken := min(left, offered, payable):
                left -= taken
                funds = None if funds is None else funds - taken * price
                yield price, taken

    def _allowed(self, order: Order) -> Decimal:
        if not _closes(order):
            return order.remaining
        return min(order.remaining, self._closable(order.instrument, order.leg, order.side))

    def _funds(self, order: Order) -> Decimal | None:
        """What a spot buyer can spend: a stop may wake where it costs more than was kept back for it."""
        if order.instrument.kind is not Kind.SPOT or order.side == "sell":
            return None
        wallet, asset = self.rules.wallet_of(order.instrument), order.instrument.quote
        others = [o for o in self.open_orders() if o is not order and self.rules.wallet_of(o.instrument) == wallet]
        return self.account.total(wallet, asset) - self.account.order_locks(others, asset)

    def _take(self, order: Order, takes: list[tuple[Decimal, Decimal]]) -> None:
        listing = self.listing(order.instrument)
        self.market.tell_book(listing, listing.book.take(order.side, takes, self.clock.now_ms()))
        for price, quantity in takes:
            self.market.trade(listing, order.side, price, quantity)
            self._book_fill(order, price, quantity, maker=False)

    def _book_fill(self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool) -> None:
        instrument, now_ms = order.instrument, self.clock.now_ms()
        rate = (self.rules.maker_fee if maker else self.rules.taker_fee)[instrument.kind]
        wallet, profit, positions = self.rules.wallet_of(instrument), _ZERO, list[Position]()
        if instrument.kind is Kind.SPOT:
            received = instrument.base if order.side == "buy" else instrument.quote
            fee = rate * (quantity if order.side == "buy" else quantity * price)
        else:
            received, fee = instrument.settle, booked(rate * instrument.notional(quantity, price))
            position = self.account.position(instrument, order.leg, now_ms)
            profit = booked(position.apply(order.sign * quantity, price, now_ms))
            positions.append(position)
        fill = Fill(next(self._fill_ids), price, quantity, fee, received, maker, profit, now_ms)
        flows = spot_flows(order, fill) if instrument.kind is Kind.SPOT else {received: profit - fee}
        for asset, amount in flows.items():
            self.account.credit(wallet, asset, amount)
        order.fills.append(fill)
        order.status = Status.PARTIALLY_FILLED if order.remaining else Status.FILLED
        order.updated_ms = now_ms
        self.tell(OrderChanged(order, Change.FILLED, fill))
        self.tell(AccountChanged(wallet, tuple(flows), tuple(positions)))

    def _end(self, order: Order, status: Status, change: Change, why: str = "") -> None:
        order.status, order.why_ended, order.updated_ms = status, why, self.clock.now_ms()
        self.tell(OrderChanged(order, change))
        self._tell_locks(order)

    def _tell_locks(self, order: Order) -> None:
        if order.instrument.kind is Kind.SPOT:
            asset = order.instrument.quote if order.side == "buy" else order.instrument.base
            self.tell(AccountChanged(self.rules.wallet_of(order.instrument), (asset,)))

    def _fill_reached(self, listing: Listing) -> None:
        for order in self.open_orders(listing.instrument):
            if order.limit is None or order.status is Status.UNTRIGGERED:
                continue
            best = listing.book.best_ask if order.side == "buy" else listing.book.best_bid
            if (best <= order.limit) if order.side == "buy" else (best >= order.limit):
                self._fill_at_limit(order, order.limit)

    def _fill_at_limit(self, order: Order, limit: Decimal) -> None:
        if allowed := self._allowed(order):
            self._book_fill(order, limit, allowed, maker=True)
        else:
            self._end(order, Status.EXPIRED, Change.EXPIRED, "nothing to reduce")

    def _wake_reached(self, listing: Listing) -> None:
        for order in self.open_orders(listing.instrument):
            trigger = order.trigger
            if order.status is not Status.UNTRIGGERED or trigger is None:
                continue
            if listing.price >= trigger.price if trigger.rising else listing.price <= trigger.price:
                self._wake(order)

    def _wake(self, order: Order) -> None:
        order.updated_ms = self.clock.now_ms()
        if not self.rules.trigger_makes_order(order.instrument):
            order.status = Status.NEW
            self.tell(OrderChanged(order, Change.TRIGGERED))
            self._execute(order)
            return
        order.status = Status.TRIGGERED
        made = NewOrder(
            order.instrument, order.side, order.quantity, order.limit, f"made{order.id}", order.lasting, None,
            order.reduce_only, order.leg, None, order.request,
        )  # fmt: skip
        child = self._accept(made, order.quantity)
        child.made_by, order.made = order.id, child.id
        self.tell(OrderChanged(order, Change.TRIGGERED))
        self.tell(OrderChanged(child, Change.NEW))
        self._execute(child)


def _closes(order: NewOrder | Order) -> bool:
    """Whether it may only make a position smaller."""
    return order.reduce_only or (order.leg, order.side) in {("long", "sell"), ("short", "buy")}
