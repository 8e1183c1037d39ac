"""The mint: session grants, made by this node for one broadcast each, and no wider than its order.

Laws: a session may air at its order's targets, at its class, from its level, until it expires, and nothing
else; what the node itself may not give is refused here, in words, before any speaker would refuse it.
"""

from collections.abc import Callable, Sequence

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


class NodeMint:
    """`chain` is root..node; its last link says what this node may give."""

    def __init__(
        self, key: SigningKey, chain: Sequence[str], clock: Clock, territory: Callable[[], Territory]
    ) -> None:
        self._key = key
        self._own = parse_grant(chain[-1])
        self._clock = clock
        self._territory = territory

    def session(self, key: VerifyKey, order: Order, level: int) -> str:
        """The token for one session key. DeniedError when the node's own grant does not reach so far."""
        now_us = self._clock.now_us()
        self._check(order, level)
        grant = Grant(
            issuer=self._key.public.key_id,
            subject=key,
            role=Role.SESSION,
            max_class=int(order.cls),
            level=level,
            places=self._places(order.targets),
            not_before_us=max(self._own.not_before_us, now_us - BACKDATE_US),
            expires_us=min(self._own.expires_us, order.expires_us + 2 * SECOND_US),
            serial=now_us,
            rights=frozenset({"air"}),
        )
        return issue(grant, self._key)

    def priority_order(self, place_id: str, broadcasts: Sequence[str]) -> bytes:
        """The control message of a commune's own order; its version is the time of signing."""
        content = PriorityOrder(place_id, self._clock.now_us(), tuple(broadcasts))
        return build_control(wire.Order(sign_statement(content, self._key)))

    def _check(self, order: Order, level: int) -> None:
        territory, own = self._territory(), self._own
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

    def _places(self, targets: Sequence[str]) -> tuple[str, ...]:
        if len(targets) <= MOST_PLACES:
            return tuple(targets)
        above = set(self._territory().ancestry(targets[0]))
        for target in targets[1:]:
            above.intersection_update(self._territory().ancestry(target))
        return (max(above, key=self._territory().depth),) if above else self._own.places
