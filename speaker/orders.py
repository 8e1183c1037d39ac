"""What the node passes on from those who may order: roots, grants, what was revoked, placement, volume, a
commune's order, target lists.

Laws: nothing counts before the mandate has judged it; the latest of each is kept for a restart, as it was
signed; a restart takes the roots back first, and what was revoked before anything that it could void is
obeyed. Raises RefusedError and ProtocolError for its caller to count. Owned by the core.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import ProtocolError, RefusedError
from ..trust.grants import MAX_LISTS
from ..trust.statements import MAX_ROOTS, PriorityOrder, RootsOrder, Statement, StatementKind
from ..trust.tokens import parse_grant
from ..wire.control import Chain, Control, Order, Placed, Revoked, Roots, Targets, Volume, Welcome
from ..wire.messages import targets_hash
from .mandate import Mandate
from .report import Counters
from .selector import Selector
from .state import Memory
from .volume import Volumes

MAX_KEPT = 32
"""Statements of one kind kept: one per place above us and one for ourselves is at most 17."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What starts may have waited for, named as in `Lacking`; `transient` if there is nothing to store."""

    filled: tuple[tuple[str, bytes], ...] = ()
    transient: bool = False


class Orders:
    def __init__(self, mandate: Mandate, memory: Memory, counters: Counters, floor_us: int) -> None:
        self._mandate, self._counters, self._floor_us = mandate, counters, floor_us
        self.volumes = Volumes()
        self._priority: dict[str, PriorityOrder] = {}
        self._kept: dict[tuple[str, str], Statement] = {}
        self._placement: Statement | None = None
        self._lists: dict[str, Statement] = {}
        self._welcome: Welcome | None = None
        if memory.roots:
            mandate.pin(memory.roots)
        self.learn(memory.chain)
        for statement in (*memory.revoked, memory.placement, *memory.volumes, *memory.orders):
            self._recall(statement)

    def learn(self, grants: Sequence[str]) -> None:
        """Upper links, first link first."""
        self._counters.refused_each(self._mandate.learn(grants))

    def welcome(self, message: Welcome, now_us: int | None) -> None:
        """Who may order here, and where that is."""
        self._welcome = message
        self.learn(message.chain)
        try:
            self.place(message.placement, now_us)
        except (RefusedError, ProtocolError) as error:
            self._counters.refused(error.reason if isinstance(error, RefusedError) else "malformed")

    def pin(self, roots: RootsOrder, now_us: int | None) -> None:
        """These roots have been stored: they count. What came with the last welcome may lead to them."""
        self._mandate.pin(roots)
        self._forget_void()
        if self._welcome:
            self.welcome(self._welcome, now_us)

    def place(self, statement: Statement, now_us: int | None) -> None:
        if self._mandate.place(statement, self._judged_at(now_us)):
            self._placement = statement

    def take(self, message: Control, now_us: int | None) -> Filled | None:
        """None for a message that orders nothing."""
        at_us = self._judged_at(now_us)
        match message:
            case Placed(statement):
                self.place(statement, now_us)
            case Chain(grants):
                self.learn(grants)
                keys = (parse_grant(token).subject.key_id for token in grants)
                return Filled(tuple(("chain", bytes.fromhex(key)) for key in keys))
            case Targets(places):
                self._mandate.learn_targets(places)
                return Filled((("targets", targets_hash(places)),), transient=True)
            case Volume(statement):
                self._volume(statement, at_us)
            case Order(statement):
                self._order(statement, at_us)
            case Roots(statement):
                self._mandate.learn_roots(statement)
            case Revoked(statement):
                self._revoke(statement)
            case _:
                return None
        return Filled()

    def apply(self, selector: Selector) -> None:
        """Have the commune's order of the priority class hold."""
        selector.place(self._mandate.ancestry)
        for place in self._mandate.ancestry:
            order = self._priority.get(place)
            selector.reorder(place, order.broadcasts if order else ())

    def memory(self) -> Memory:
        kept = self._kept.items()
        return Memory(
            roots=self._mandate.roots,
            revoked=tuple(self._lists.values()),
            chain=self._mandate.store.tokens(),
            placement=self._placement,
            volumes=tuple(statement for (kind, _), statement in kept if kind == "volume"),
            orders=tuple(statement for (kind, _), statement in kept if kind == "order"),
        )

    def _judged_at(self, now_us: int | None) -> int:
        return self._mandate.at_least_us(self._floor_us) if now_us is None else now_us

    def _recall(self, statement: Statement | None) -> None:
        """From before the restart: judged again, since grants may have expired meanwhile."""
        if statement is None:
            return
        try:
            self.take(_RECALLED[statement.kind](statement), None)
        except (RefusedError, ProtocolError):
            self._counters.refused("recalled")

    def _volume(self, statement: Statement, at_us: int) -> None:
        order = self._mandate.volume(statement, at_us)
        if order:
            self.volumes.put(order)
            self._keep("volume", order.target, statement)

    def _order(self, statement: Statement, at_us: int) -> None:
        order = self._mandate.order(statement, at_us)
        if order:
            self._priority[order.place] = order
            self._keep("order", order.place, statement)

    def _revoke(self, statement: Statement) -> None:
        if self._mandate.revoke(statement) is None:
            return
        self._lists[statement.key_id] = statement
        if len(self._lists) > MAX_LISTS + MAX_ROOTS:
            self._lists = {key: kept for key, kept in self._lists.items() if self._believes(kept)}
        self._forget_void()

    def _forget_void(self) -> None:
        """Orders of keys that no chain leads to any more. A placement stays until the next one: without any,
        nothing would sound here at all."""
        for (kind, subject), statement in tuple(self._kept.items()):
            if self._believes(statement):
                continue
            del self._kept[kind, subject]
            if kind == "volume":
                self.volumes.forget(subject)
            else:
                self._priority.pop(subject, None)

    def _believes(self, statement: Statement) -> bool:
        return self._mandate.store.believes(statement.key_id)

    def _keep(self, kind: str, subject: str, statement: Statement) -> None:
        self._kept[kind, subject] = statement
        if len(self._kept) > 2 * MAX_KEPT:
            del self._kept[next(iter(self._kept))]


_RECALLED: Mapping[StatementKind, Callable[[Statement], Placed | Volume | Order | Roots | Revoked]] = {
    StatementKind.PLACEMENT: Placed,
    StatementKind.VOLUME: Volume,
    StatementKind.ORDER: Order,
    StatementKind.ROOTS: Roots,
    StatementKind.REVOKED: Revoked,
}
