"""From a pinned root down to a session: which chains of grants are believed (`tokens.py` has one link's
format).

Laws: a chain begins at a pinned root; each link is signed by the subject of the one above and gives no more
than that has (class, level, rights, window of time); a place is covered only when every link covers it; time
is judged at every use, signatures once; what an issuer has revoked is void with all below it. Nothing in a
chain is believed because it says so itself.

`ChainStore` owns the pinned roots, the upper links a speaker has been told ahead, the lists of what was
revoked, and a bounded cache of sessions; whoever owns the store calls it from one thread.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import RefusedError
from .keys import VerifyKey
from .statements import Revocations, RootsOrder
from .tokens import (
    ANYWHERE,
    CLOCK_TOLERANCE_US,
    MAX_CLASS,
    MAX_LEVEL,
    MAX_TIME_S,
    MAY_ISSUE,
    RIGHTS,
    SECOND_US,
    Grant,
    Role,
    check_signature,
    issue,
    narrowed,
    parse_grant,
    read_grant,
)

__all__ = [
    "ChainStore",
    "Grant",
    "Role",
    "VerifiedChain",
    "VerifiedSession",
    "issue",
    "narrowed",
    "parse_grant",
    "verify_chain",
]

MAX_LINKS = 8
"""Root, nation, province, district, commune, node, session: seven."""
MAX_PATHS = 8
"""Chains to one key: two generations of root times two authorities above a node, and as many again."""
MAX_SUBJECTS = 1024
MAX_CACHED = 256
MAX_LISTS = 64
"""Lists of revoked grants, of issuers that are no roots; theirs always have room."""


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """What a chain allows its last subject. `places` has one set per link: all must cover."""

    subject: VerifyKey
    role: Role
    max_class: int
    level: int
    not_before_us: int
    expires_us: int
    rights: frozenset[str]
    places: tuple[frozenset[str], ...]
    serial: int

    def covers(self, ancestry: Sequence[str]) -> bool:
        """Whether the place at the end of `ancestry` (root..place) lies inside every link."""
        return bool(ancestry) and all(
            ANYWHERE in allowed or not allowed.isdisjoint(ancestry) for allowed in self.places
        )

    def check_time(self, now_us: int) -> None:
        if now_us >= self.expires_us:
            raise RefusedError("expired", f"grant of {self.subject.key_id}: expired at {self.expires_us} us")
        if now_us + CLOCK_TOLERANCE_US < self.not_before_us:
            raise RefusedError("early", f"grant of {self.subject.key_id}: valid from {self.not_before_us} us")


VerifiedSession = VerifiedChain


def _root_chain(root: VerifyKey) -> VerifiedChain:
    """What a pinned root may do before any grant narrows it."""
    everywhere = (frozenset({ANYWHERE}),)
    return VerifiedChain(
        root, Role.ROOT, MAX_CLASS, MAX_LEVEL, 0, MAX_TIME_S * SECOND_US, RIGHTS, everywhere, 0
    )


def extend(parent: VerifiedChain, grant: Grant) -> VerifiedChain:
    """One link further down; the signature was checked by whoever calls. RefusedError when it asks for
    more.
    """
    if grant.role not in MAY_ISSUE[parent.role]:
        raise RefusedError("role", f"grant: a {parent.role} cannot make a {grant.role}")
    if grant.role is Role.ROOT and grant.subject != parent.subject:
        raise RefusedError("root", f"grant: {grant.subject.key_id} calls itself root, and is not pinned")
    for name, fits in (
        ("class", grant.max_class <= parent.max_class),
        ("level", grant.level <= parent.level),
        ("rights", grant.rights <= parent.rights),
        ("time", parent.not_before_us <= grant.not_before_us and grant.expires_us <= parent.expires_us),
    ):
        if not fits:
            raise RefusedError("wider", f"grant of {grant.subject.key_id}: wider {name} than its parent's")
    if len(parent.places) >= MAX_LINKS:
        raise RefusedError("long", f"grant: chain of more than {MAX_LINKS} links")
    return VerifiedChain(
        grant.subject,
        grant.role,
        grant.max_class,
        grant.level,
        grant.not_before_us,
        grant.expires_us,
        grant.rights,
        (*parent.places, frozenset(grant.places)),
        grant.serial,
    )


def verify_chain(
    tokens: Sequence[str], roots: Mapping[str, VerifyKey], ancestry: Sequence[str], now_us: int
) -> VerifiedChain:
    """A whole chain, first link first, for a speaker at the end of `ancestry`; RefusedError(reason)
    otherwise.
    """
    if not 1 <= len(tokens) <= MAX_LINKS:
        raise RefusedError("malformed", f"chain of {len(tokens)} links, expected 1 to {MAX_LINKS}")
    chain: VerifiedChain | None = None
    for token in tokens:
        grant = read_grant(token)
        if chain is None:
            if grant.issuer not in roots:
                raise RefusedError("root", f"grant: issuer {grant.issuer} is not a pinned root")
            chain = _root_chain(roots[grant.issuer])
        elif grant.issuer != chain.subject.key_id:
            raise RefusedError("link", f"grant: issued by {grant.issuer}, expected {chain.subject.key_id}")
        check_signature(token, chain.subject)
        chain = extend(chain, grant)
        chain.check_time(now_us)
    assert chain is not None  # noqa: S101 - one token at least
    if not chain.covers(ancestry):
        raise RefusedError("territory", f"grant of {chain.subject.key_id}: does not cover {ancestry[-1:]}")
    return chain


@dataclass(frozen=True, slots=True)
class _Link:
    grant: Grant
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _List:
    """What one issuer has revoked: the highest void serial by key id."""

    version: int
    serials: Mapping[str, int]


class ChainStore:
    """The upper links known ahead, by key id, so that a start needs to carry only its last one."""

    def __init__(self, roots: Mapping[str, VerifyKey]) -> None:
        self._roots = dict(roots)
        self._roots_version = -1
        self._lists: dict[str, _List] = {}
        self._links: dict[str, dict[str, _Link]] = {}
        self._sessions: OrderedDict[bytes, tuple[VerifiedChain, ...]] = OrderedDict()
        self._passed_us = 0
        self.forgotten = 0
        """Sessions dropped from the cache for want of room."""

    def learn(self, token: str) -> bool:
        """Keep a link whose issuer is known (so: upper links first). False when it is not newer than what
        is there.
        """
        grant = read_grant(token)
        if grant.role is Role.SESSION:
            raise RefusedError("role", "grant: a session's link comes with its start, not ahead")
        self._check(token, grant)
        if grant.role is Role.ROOT:
            return False  # a pinned root is believed without it
        known = self._links.get(grant.subject.key_id, {})
        if grant.issuer in known and known[grant.issuer].grant.serial >= grant.serial:
            return False
        self._passed_us = max(self._passed_us, grant.not_before_us)
        if grant.issuer not in known and not self._has_room(known):
            raise RefusedError("full", f"grant: already {MAX_SUBJECTS} keys or {MAX_PATHS} issuers known")
        self._links.setdefault(grant.subject.key_id, {})[grant.issuer] = _Link(grant, token)
        self._sessions.clear()
        return True

    def tokens(self) -> tuple[str, ...]:
        """What to persist, in an order in which `learn` takes it back. What is void is among it: its key may
        have signed a list of its own.
        """
        paths = {key_id: self._paths(key_id, even_void=True) for key_id in self._links}
        depth = {key_id: len(found[0].places) for key_id, found in paths.items() if found}
        return tuple(
            link.token
            for key_id in sorted(depth, key=lambda key_id: depth[key_id])
            for link in self._links[key_id].values()
        )

    def pin(self, order: RootsOrder) -> None:
        """From now on exactly these roots are believed; the caller has judged who says so. One that is not
        newer changes nothing.
        """
        if order.version <= self._roots_version:
            return
        self._roots_version = order.version
        self._roots = {root.key_id: root for root in order.roots}
        known = {*self._roots, *(one for one in self._links if self._paths(one, even_void=True))}
        self._links = {
            subject: {issuer: link for issuer, link in links.items() if issuer in known}
            for subject, links in self._links.items()
            if subject in known
        }
        self._lists = {issuer: listed for issuer, listed in self._lists.items() if issuer in known}
        self._sessions.clear()

    def revoke(self, issuer: VerifyKey, listed: Revocations) -> bool:
        """What `issuer` granted to these keys is void; the caller has checked that it says so. False when
        the list is not newer than what is there.

        An issuer that is void itself is heard all the same: it may be granted anew, and what it had taken
        back must not come back with it.
        """
        if self.key(issuer.key_id) != issuer:
            raise RefusedError("issuer", f"revoked: {issuer.key_id} is another key than the one known")
        known = self._lists.get(issuer.key_id)
        if known is not None and listed.version <= known.version:
            return False
        if known is None and not self._has_list_room(issuer.key_id):
            raise RefusedError("full", f"revoked: already {MAX_LISTS} lists known")
        serials = {one.subject: one.serial for one in listed.revoked}
        self._lists[issuer.key_id] = _List(listed.version, serials)
        self._sessions.clear()
        return True

    def key(self, key_id: str) -> VerifyKey:
        """The key of this id, void or not: that of a pinned root, or of a link that was believed once."""
        if key_id in self._roots:
            return self._roots[key_id]
        for link in self._links.get(key_id, {}).values():
            return link.grant.subject
        raise RefusedError("issuer", f"key {key_id}: not known")

    def believes(self, key_id: str) -> bool:
        """Whether a chain leads to this key, at whatever time."""
        return bool(self._paths(key_id))

    def chains(self, key_id: str, now_us: int) -> tuple[VerifiedChain, ...]:
        """Every chain by which this key is believed now; RefusedError when there is none."""
        return _valid(self._believed(key_id), key_id, now_us)

    def authority(self, key_id: str, right: str, ancestry: Sequence[str], now_us: int) -> VerifiedChain:
        """The chain that lets this key exercise `right` at the place at the end of `ancestry`."""
        chains = [chain for chain in self.chains(key_id, now_us) if right in chain.rights]
        if not chains:
            raise RefusedError("right", f"key {key_id}: has no right to {right!r}")
        return _covering(chains, ancestry)

    def verify_session(
        self, token: str, now_us: int, ancestry: Sequence[str] | None = None
    ) -> VerifiedSession:
        """The session a start's grant stands for. With `ancestry`, only a chain that covers that place
        counts.
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = self._sessions.get(digest)
        if found is None:
            found = self._verify(token)
            self._sessions[digest] = found
            if len(self._sessions) > MAX_CACHED:
                self._sessions.popitem(last=False)
                self.forgotten += 1
        else:
            self._sessions.move_to_end(digest)
        valid = _valid(found, found[0].subject.key_id, now_us)
        return valid[0] if ancestry is None else _covering(valid, ancestry)

    def _verify(self, token: str) -> tuple[VerifiedChain, ...]:
        grant = read_grant(token)
        if grant.role is not Role.SESSION:
            raise RefusedError("role", f"grant: a start needs a session's link, not that of a {grant.role}")
        return self._check(token, grant)

    def _check(self, token: str, grant: Grant) -> tuple[VerifiedChain, ...]:
        parents = self._believed(grant.issuer)
        check_signature(token, parents[0].subject)
        if self._is_void(grant):
            raise RefusedError("revoked", f"grant of {grant.subject.key_id}: revoked by {grant.issuer}")
        return _extended(parents, grant)

    def _believed(self, key_id: str) -> tuple[VerifiedChain, ...]:
        """All chains to a key; RefusedError "revoked" or "issuer" when there is none."""
        found = self._paths(key_id)
        if not found and self._paths(key_id, even_void=True):
            raise RefusedError("revoked", f"key {key_id}: a grant that leads to it was revoked")
        if not found:
            raise RefusedError("issuer", f"key {key_id}: no chain leads to it")
        return found

    def _is_void(self, grant: Grant) -> bool:
        known = self._lists.get(grant.issuer)
        return known is not None and grant.serial <= known.serials.get(grant.subject.key_id, -1)

    def _has_list_room(self, key_id: str) -> bool:
        """For one more list. When full, those of issuers that are void themselves make room."""
        if key_id in self._roots:
            return True
        for _ in range(2):
            if sum(one not in self._roots for one in self._lists) < MAX_LISTS:
                return True
            for issuer in [one for one in self._lists if not self._paths(one)]:
                del self._lists[issuer]
        return False

    def _has_room(self, known: dict[str, _Link]) -> bool:
        """For one more link. When full, links that ended before another began make room."""
        for _ in range(2):
            if len(known) < MAX_PATHS and (known or len(self._links) < MAX_SUBJECTS):
                return True
            for subject, links in list(self._links.items()):
                for issuer in [
                    one for one, link in links.items() if link.grant.expires_us <= self._passed_us
                ]:
                    del links[issuer]
                if not links:
                    del self._links[subject]
        return False

    def _paths(self, key_id: str, depth: int = 0, *, even_void: bool = False) -> tuple[VerifiedChain, ...]:
        """All chains to a key, whatever the time; limits are applied anew, so that a narrowed link narrows
        all below. `even_void`: as if nothing had been revoked.
        """
        if depth > MAX_LINKS:
            return ()
        found: list[VerifiedChain] = []
        if key_id in self._roots:
            found.append(_root_chain(self._roots[key_id]))
        for issuer, link in self._links.get(key_id, {}).items():
            if self._is_void(link.grant) and not even_void:
                continue
            try:
                above = self._paths(issuer, depth + 1, even_void=even_void)
                found.extend(_extended(above, link.grant))
            except RefusedError:
                continue
        return tuple(found[:MAX_PATHS])


def _extended(parents: Sequence[VerifiedChain], grant: Grant) -> tuple[VerifiedChain, ...]:
    """By every parent that can give it; the last refusal when none can."""
    found: list[VerifiedChain] = []
    refusal = RefusedError("issuer", f"grant: issuer {grant.issuer} is not believed by any chain")
    for parent in parents:
        try:
            found.append(extend(parent, grant))
        except RefusedError as error:
            refusal = error
    if not found:
        raise refusal
    return tuple(found)


def _valid(chains: Sequence[VerifiedChain], key_id: str, now_us: int) -> tuple[VerifiedChain, ...]:
    found: list[VerifiedChain] = []
    refusal = RefusedError("issuer", f"key {key_id}: no chain leads to it")
    for chain in chains:
        try:
            chain.check_time(now_us)
            found.append(chain)
        except RefusedError as error:
            refusal = error
    if not found:
        raise refusal
    return tuple(found)


def _covering(chains: Sequence[VerifiedChain], ancestry: Sequence[str]) -> VerifiedChain:
    for chain in chains:
        if chain.covers(ancestry):
            return chain
    raise RefusedError("territory", f"grant of {chains[0].subject.key_id}: does not cover {ancestry[-1:]}")
