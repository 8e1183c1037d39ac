"""Who may command this speaker, and what: every signature and grant is judged here.

Laws: only a chain from a pinned root that covers this very place counts, by all of its links; a statement is
acted on once, by rising version; what a revoked key had ordered binds nobody any more, nor does the version
that it had reached; new roots count only once they have been stored; before the network's time is known, time
is taken to be at least what was acted on before and what the known grants began at, so an old key cannot talk
a restarted speaker into the past. Raises RefusedError with the reason to count (`trust` and `wire` parse;
nothing here does). Owned by the agent.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RefusedError
from ..trust.grants import ChainStore, VerifiedSession, parse_grant
from ..trust.keys import VerifyKey
from ..trust.statements import (
    Placement,
    PriorityOrder,
    Revocations,
    RootsOrder,
    Statement,
    VolumeOrder,
    open_statement,
    read_version,
    time_reply_bytes,
)
from ..trust.tokens import CLOCK_TOLERANCE_US
from ..wire.control import TimeReply
from ..wire.messages import Start, StartFlags, targets_hash

MAX_TARGET_LISTS = 64
"""Lists of targets sent ahead; the oldest is forgotten first, and asked for again if a start needs it."""

START_AHEAD_US = 10_000_000
"""A start is obeyed when it begins; one that says it began so far ahead of network time is none."""


@dataclass(frozen=True, slots=True)
class _Acted:
    """The highest version acted on, and whose it was."""

    version: int
    key_id: str


class Mandate:
    def __init__(self, speaker: str, roots: Sequence[VerifyKey], store: ChainStore | None = None) -> None:
        """`store` may be shared by speakers that trust the same roots (see simulate.py)."""
        self._speaker = speaker
        self.store = store or ChainStore({root.key_id: root for root in roots})
        self._pinned = {root.key_id: root for root in roots}
        self._targets: OrderedDict[bytes, tuple[str, ...]] = OrderedDict()
        self._begun_us = 0
        self._orders: dict[str, _Acted] = {}
        self._volumes: dict[str, _Acted] = {}
        self._placed = _Acted(-1, "")
        self._lists: dict[str, int] = {}
        self.roots: RootsOrder | None = None
        """The latest believed, to be stored; it counts from `pin` on."""
        self.placement: Placement | None = None

    @property
    def ancestry(self) -> tuple[str, ...]:
        """The root place first, this speaker's own last; empty before it is placed."""
        return self.placement.ancestry if self.placement else ()

    @property
    def speaker(self) -> str:
        return self._speaker

    def at_least_us(self, floor_us: int) -> int:
        """The latest time that is known to have passed, while the network's own is not known."""
        return max(floor_us, self._begun_us)

    def learn(self, tokens: Sequence[str]) -> Counter[str]:
        """Upper links, first link first. Returns how many were refused, by reason; the others hold."""
        refused = Counter[str]()
        for token in tokens:
            try:
                self.store.learn(token)
                self._begun_us = max(self._begun_us, parse_grant(token).not_before_us)
            except RefusedError as error:
                refused[error.reason] += 1
        return refused

    def learn_targets(self, places: tuple[str, ...]) -> None:
        self._targets[targets_hash(places)] = places
        while len(self._targets) > MAX_TARGET_LISTS:
            self._targets.popitem(last=False)

    def admit(self, start: Start, now_us: int) -> VerifiedSession:
        """The session whose key must have signed `start` (the caller checks that), if all else allows it
        here."""
        if not self.ancestry:
            raise RefusedError("unplaced", "start: this speaker has no placement yet")
        session = self.store.verify_session(start.grant, now_us, self.ancestry)
        if start.cls > session.max_class:
            raise RefusedError(
                "class", f"start: class {start.cls.name}, its grant ends at {session.max_class}"
            )
        if start.level > session.level:
            raise RefusedError("level", f"start: level {start.level}, its grant ends at {session.level}")
        _check_right(start, session)
        if self._resolve(start).isdisjoint(self.ancestry):
            raise RefusedError("territory", f"start {start.broadcast}: its targets do not cover this place")
        if start.expires_us <= now_us:
            raise RefusedError("expired", f"start {start.broadcast}: expired at {start.expires_us} us")
        if start.started_us > now_us + START_AHEAD_US:
            raise RefusedError("future", f"start {start.broadcast}: begins at {start.started_us} us")
        return session

    def place(self, statement: Statement, now_us: int) -> Placement | None:
        """Stand where it says; None when this version or a later one is known already."""
        key = self._key(statement.key_id, now_us)
        placement = open_statement(statement, key)
        if not isinstance(placement, Placement) or placement.speaker != self._speaker:
            raise RefusedError("address", f"placement: not of this speaker {self._speaker}")
        self.store.authority(statement.key_id, "place", placement.ancestry, now_us)
        if self._stands(self._placed) and placement.version <= self._placed.version:
            return None
        if self.ancestry and self._stands(self._placed):
            self.store.authority(statement.key_id, "place", self.ancestry, now_us)
        self._placed, self.placement = _Acted(placement.version, statement.key_id), placement
        return placement

    def volume(self, statement: Statement, now_us: int) -> VolumeOrder | None:
        """The order, if it is newer than the last one for that target; it is for us or a place above us."""
        order = open_statement(statement, self._key(statement.key_id, now_us))
        if not isinstance(order, VolumeOrder) or order.target not in (self._speaker, *self.ancestry):
            raise RefusedError("address", "volume: neither for this speaker nor for a place above it")
        self.store.authority(statement.key_id, "volume", self._upto(order.target), now_us)
        return order if self._newer(self._volumes, order.target, order.version, statement) else None

    def order(self, statement: Statement, now_us: int) -> PriorityOrder | None:
        """A commune's order of the priority class, if it is newer than the last one of that place."""
        order = open_statement(statement, self._key(statement.key_id, now_us))
        if not isinstance(order, PriorityOrder) or order.place not in self.ancestry:
            raise RefusedError("territory", "order: not of a place above this speaker")
        self.store.authority(statement.key_id, "air", self._upto(order.place), now_us)
        return order if self._newer(self._orders, order.place, order.version, statement) else None

    def learn_roots(self, statement: Statement) -> RootsOrder | None:
        """Roots to pin once they have been stored (`pin`), if the newest roots known say so."""
        trusted = {root.key_id: root for root in self.roots.roots} if self.roots else self._pinned
        if statement.key_id not in trusted:
            if self.roots and read_version(statement) <= self.roots.version:
                return None  # how we came here from older roots: a node says it all to everyone
            raise RefusedError("root", f"roots: signed by {statement.key_id}, which is not pinned")
        order = open_statement(statement, trusted[statement.key_id])
        if not isinstance(order, RootsOrder):
            raise RefusedError("address", f"roots: a {statement.kind} statement")
        if self.roots and order.version <= self.roots.version:
            return None
        self.roots = order
        return order

    def awaits(self, order: RootsOrder) -> bool:
        """Whether these roots are believed, and wait to count."""
        return order == self.roots and set(order.roots) != set(self._pinned.values())

    def pin(self, order: RootsOrder) -> None:
        """It has been stored: from now on exactly these roots are believed."""
        self._pinned = {root.key_id: root for root in order.roots}
        self.store.pin(order)
        if self.roots is None or self.roots.version < order.version:
            self.roots = order

    def revoke(self, statement: Statement) -> Revocations | None:
        """What one issuer has taken back; None when this list or a later one is known. It needs no right:
        nobody voids more than what they gave."""
        key = self.store.key(statement.key_id)
        listed = open_statement(statement, key)
        if not isinstance(listed, Revocations):
            raise RefusedError("address", f"revoked: a {statement.kind} statement")
        self.store.revoke(key, listed)
        if listed.version <= self._lists.get(statement.key_id, -1):
            return None
        self._lists[statement.key_id] = listed.version
        return listed

    def check_time(self, reply: TimeReply, floor_us: int) -> None:
        """Whether this reply may set the clock: its key has that right here at the time that it tells."""
        least_us = self.at_least_us(floor_us) - CLOCK_TOLERANCE_US
        if reply.t3 < least_us:
            raise RefusedError("past", f"time: {reply.t3} us, expected at least {least_us}")
        chain = self.store.authority(reply.key_id, "time", self.ancestry, reply.t3)
        signed = time_reply_bytes(reply.t1, reply.t2, reply.t3, reply.clock_id)
        if not chain.subject.verify(reply.signature, signed):
            raise RefusedError("signature", f"time: the signature of {reply.key_id} is wrong")

    def _upto(self, target: str) -> tuple[str, ...]:
        """The ancestry of a place above this speaker; of the speaker itself, all of it."""
        if target not in self.ancestry:
            return self.ancestry
        return self.ancestry[: self.ancestry.index(target) + 1]

    def _stands(self, acted: "_Acted") -> bool:
        """Whether the version that was reached still binds: not if its signer has been revoked since, or a
        captured key could have its last word for ever."""
        return self.store.believes(acted.key_id)

    def _newer(self, acted: dict[str, "_Acted"], subject: str, version: int, statement: Statement) -> bool:
        known = acted.get(subject)
        if known is not None and version <= known.version and self._stands(known):
            return False
        acted[subject] = _Acted(version, statement.key_id)
        return True

    def _key(self, key_id: str, now_us: int) -> VerifyKey:
        return self.store.chains(key_id, now_us)[0].subject

    def _resolve(self, start: Start) -> frozenset[str]:
        if isinstance(start.targets, bytes):
            places = self._targets.get(start.targets)
            if places is None:
                raise RefusedError("targets", f"start {start.broadcast}: its list of targets is not known")
            return frozenset(places)
        return frozenset(start.targets)


def _check_right(start: Start, session: VerifiedSession) -> None:
    """A session has one of the two rights: a drill's key never sounds as real, and the other way round."""
    right, other = ("drill", "air") if StartFlags.DRILL in start.flags else ("air", "drill")
    if right not in session.rights or other in session.rights:
        raise RefusedError("right", f"start: its grant has {sorted(session.rights)}, expected {right!r}")
