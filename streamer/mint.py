"""The mint: session grants, made by this node for one broadcast each, and no wider than its order.

Laws: a session may air at its order's targets, at its class, from its level, until it expires, and nothing
else; a drill's session hangs from the key for drills and may sound drills only; what the node itself may
not give is refused here, in words, before any speaker would refuse it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from ..clock import Clock
from ..errors import DeniedError
from ..trust.keys import SigningKey, VerifyKey
from ..trust.statements import PriorityOrder, sign_statement
from ..trust.tokens import ANYWHERE, SECOND_US, Grant, Role, issue, parse_grant
from ..wire import control as wire
from ..wire.control import build_control
from .broadcast import Order
from .territory import Territory

MOST_PLACES = 4
"""Each costs 25 bytes of every start; more are named by the nearest place above them all."""

BACKDATE_US = 5_000_000
"""Whole seconds in the token, and speakers whose clock is behind."""


class AirKeys(Protocol):
    """The keys that sign for the air at this moment, each with the grant that says what it may give."""

    @property
    def node(self) -> SigningKey: ...
    @property
    def node_token(self) -> str: ...
    @property
    def drill(self) -> SigningKey | None:
        """None when it is away."""
        ...

    @property
    def drill_token(self) -> str: ...


class NodeMint:
    """See the module."""

    def __init__(self, keys: AirKeys, clock: Clock, territory: Callable[[], Territory]) -> None:
        self._keys = keys
        self._clock = clock
        self._territory = territory

    def session(self, key: VerifyKey, order: Order, level: int) -> str:
        """The token for one session key. DeniedError when the grant it would hang from does not reach so far,
        or there is no key for drills.
        """
        now_us = self._clock.now_us()
        signer, own = self._signer(order)
        self._check(own, order, level)
        grant = Grant(
            issuer=signer.public.key_id,
            subject=key,
            role=Role.SESSION,
            max_class=int(order.cls),
            level=level,
            places=self._places(own, order.targets),
            not_before_us=max(own.not_before_us, now_us - BACKDATE_US),
            expires_us=min(own.expires_us, order.expires_us + 2 * SECOND_US),
            serial=now_us,
            rights=frozenset({"drill" if order.drill else "air"}),
        )
        return issue(grant, signer)

    def priority_order(self, place_id: str, broadcasts: Sequence[str]) -> bytes:
        """The control message of a commune's own order; its version is the time of signing."""
        content = PriorityOrder(place_id, self._clock.now_us(), tuple(broadcasts))
        return build_control(wire.Order(sign_statement(content, self._keys.node)))

    def _signer(self, order: Order) -> tuple[SigningKey, Grant]:
        """A drill has a key of its own, which sounds no other thing; and nothing else sounds a drill."""
        if not order.drill:
            return self._keys.node, parse_grant(self._keys.node_token)
        if self._keys.drill is None:
            raise DeniedError(
                f"order {order.id}: a drill, and the key for drills is away; expected it back in the keys "
                "folder, or a broadcast that is none"
            )
        return self._keys.drill, parse_grant(self._keys.drill_token)

    def _check(self, own: Grant, order: Order, level: int) -> None:
        territory = self._territory()
        if order.cls > own.max_class:
            raise DeniedError(
                f"order {order.id}: class {order.cls.name}, this node may give at most {own.max_class}"
            )
        if level > own.level:
            raise DeniedError(f"order {order.id}: level {level}, this node may give at most {own.level}")
        for target in order.targets:
            if ANYWHERE not in own.places and not set(own.places).intersection(territory.ancestry(target)):
                raise DeniedError(
                    f"order {order.id}: {territory.get(target).name} lies outside this node's grant"
                )

    def _places(self, own: Grant, targets: Sequence[str]) -> tuple[str, ...]:
        if len(targets) <= MOST_PLACES:
            return tuple(targets)
        above = set(self._territory().ancestry(targets[0]))
        for target in targets[1:]:
            above.intersection_update(self._territory().ancestry(target))
        return (max(above, key=self._territory().depth),) if above else own.places
