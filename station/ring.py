"""The ring: which keys a node has, each with the grant that makes it believed. Values, and how they are made.

    root, root2 -> authority -> node       airs, tells the time
                             -> drill      airs drills
                             -> registrar  places speakers, sets their volume

Laws: each office has a key of its own, so that who captures one cannot do what the others may; two
generations of root are pinned, and both have granted the authority, so that either may be lost; a grant
that is issued again has a higher serial and begins no later than it did. Changed by making a new value
(`renewed` here, `rotation.py`); files are `ring_file.py`'s, the one in use belongs to the `Keyring`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import ConfigError, RefusedError
from ..trust.grants import Grant, Role, issue, narrowed, parse_grant, verify_chain
from ..trust.keys import SigningKey, VerifyKey
from ..trust.statements import Statement
from ..trust.tokens import MAX_CLASS, MAX_LEVEL, RIGHTS, SECOND_US
from .vault import KeyVault

DAY_US = 86_400 * SECOND_US
AUTHORITY_US = 3_650 * DAY_US
NODE_US = 730 * DAY_US
"""Two years: a node that was stolen and never missed is out of it by then."""
RENEW_AUTHORITY_US = NODE_US
"""While a node's grant must fit into its authority's."""
RENEW_NODE_US = 120 * DAY_US
"""Before the first warning, 90 days ahead (ALERTING.md), would be due."""


class Office(StrEnum):
    """What a key is for."""

    AUTHORITY = "authority"
    NODE = "node"
    DRILL = "drill"
    REGISTRAR = "registrar"


@dataclass(frozen=True, slots=True)
class _Terms:
    role: Role
    rights: frozenset[str]
    max_class: int
    level: int


TERMS: Mapping[Office, _Terms] = {
    Office.NODE: _Terms(Role.NODE, frozenset({"air", "time"}), MAX_CLASS, MAX_LEVEL),
    Office.DRILL: _Terms(Role.NODE, frozenset({"drill"}), MAX_CLASS, MAX_LEVEL),
    Office.REGISTRAR: _Terms(Role.OPERATOR, frozenset({"place", "volume"}), 1, 0),
}
"""What the authority gives each office below it: nothing that it does not need."""


def vault_name(what: str, generation: int) -> str:
    """root, root2, root3, ..."""
    return f"{what}" if generation == 1 else f"{what}{generation}"


@dataclass(frozen=True, slots=True)
class Root:
    """`secret`: None when it is away, in a safe."""

    key: VerifyKey
    generation: int
    secret: SigningKey | None

    @property
    def name(self) -> str:
        return vault_name("root", self.generation)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an office. `tokens`: an authority's grants, one by each root; another's one, by
    the authority.
    """

    office: Office
    generation: int
    key: VerifyKey
    tokens: tuple[str, ...]
    secret: SigningKey | None

    @property
    def name(self) -> str:
        return vault_name(self.office, self.generation)

    @property
    def grants(self) -> tuple[Grant, ...]:
        return tuple(parse_grant(token) for token in self.tokens)

    def by(self, issuer: str) -> str | None:
        """The grant of this issuer."""
        return next((token for token in self.tokens if parse_grant(token).issuer == issuer), None)


@dataclass(frozen=True, slots=True)
class Retired:
    """Was rotated out; still believed, until it is revoked."""

    holder: Holder
    since_us: int


@dataclass(frozen=True, slots=True)
class Ring:
    """`roots`: oldest first; the first is what enrolment codes pin. `pinned`, `revoked`: the statements that
    say so to speakers; of `pinned` every one so far, of `revoked` the latest of each issuer. `version`:
    the highest that any of them ever had.
    """

    root_place: str
    roots: tuple[Root, ...]
    holders: tuple[Holder, ...]
    retired: tuple[Retired, ...] = ()
    pinned: tuple[Statement, ...] = ()
    revoked: tuple[Statement, ...] = ()
    version: int = 0

    def holder(self, office: Office) -> Holder:
        return next(holder for holder in self.holders if holder.office is office)

    def with_holder(self, holder: Holder) -> "Ring":
        """In the place of the one of that office, or added."""
        others = tuple(one for one in self.holders if one.office is not holder.office)
        order = list(Office)
        return replace(
            self, holders=tuple(sorted((*others, holder), key=lambda one: order.index(one.office)))
        )

    def upper_grant(self) -> Grant:
        """The authority's by the first root: what the grants of the offices below must fit into."""
        token = self.holder(Office.AUTHORITY).by(self.roots[0].key.key_id)
        if token is None:
            raise ConfigError(f"keyring: {self.roots[0].name} has granted the authority nothing")
        return parse_grant(token)

    def grants(self) -> tuple[str, ...]:
        """All that a speaker needs that believes the first root, upper links first."""
        upper = self._authorities((self.roots[0],))
        issuers = {parse_grant(token).subject.key_id for token in upper}
        below = [*self.holders, *(one.holder for one in self.retired)]
        lower = [token for holder in below for token in holder.tokens if parse_grant(token).issuer in issuers]
        return (*upper, *lower)

    def other_grants(self) -> tuple[str, ...]:
        """The authority's by the other roots, for speakers that believe them too."""
        return self._authorities(self.roots[1:])

    def _authorities(self, roots: Sequence[Root]) -> tuple[str, ...]:
        holders = [self.holder(Office.AUTHORITY), *(one.holder for one in self.retired)]
        return tuple(
            token for root in roots for holder in holders if (token := holder.by(root.key.key_id)) is not None
        )


def completed(ring: Ring, vault: KeyVault, now_us: int) -> Ring:
    """With every office held: at the first start, and when an older Loa has left fewer. Blocks.

    Keys left by a start that was cut short are taken up, not replaced.
    """
    if not ring.roots:
        ring = replace(ring, roots=(_root(vault, 1),))
    if len(ring.roots) < 2 and ring.roots[0].secret is not None:
        ring = replace(ring, roots=(*ring.roots, _root(vault, 2)))
    if all(holder.office is not Office.AUTHORITY for holder in ring.holders):
        key = _key(vault, "authority")
        ring = ring.with_holder(Holder(Office.AUTHORITY, 1, key.public, (), key))
    ring = _granted_by_all(ring, now_us)
    for office, terms in TERMS.items():
        held = next((holder for holder in ring.holders if holder.office is office), None)
        if held is None:
            key = _key(vault, office)
            held = Holder(office, 1, key.public, (), key)
        elif held.grants[0].rights == terms.rights:
            continue
        ring = ring.with_holder(appointed(ring, held, now_us))
    return ring


def appointed(ring: Ring, holder: Holder, now_us: int) -> Holder:
    """Granted anew by the authority, for its office. ConfigError when the authority's key is away."""
    authority, upper = ring.holder(Office.AUTHORITY), ring.upper_grant()
    if authority.secret is None:
        raise ConfigError(
            f"keyring: {authority.name}.key is away, and without it nobody can make {holder.name} believed; "
            "expected it back in the keys folder for this"
        )
    terms = TERMS[holder.office]
    wanted = Grant(
        issuer=authority.key.key_id,
        subject=holder.key,
        role=terms.role,
        max_class=terms.max_class,
        level=terms.level,
        places=upper.places,
        not_before_us=upper.not_before_us,
        expires_us=now_us + NODE_US,
        serial=_next_serial(holder, now_us),
        rights=terms.rights,
    )
    return replace(holder, tokens=(issue(narrowed(upper, wanted), authority.secret),))


def authorised(ring: Ring, authority: Holder, root: Root, now_us: int, begins_us: int) -> Holder:
    """With a fresh grant of this root beside those of the others, which must be here."""
    if root.secret is None:
        raise ConfigError(f"keyring: {root.name}.key is away; expected it back in the keys folder for this")
    grant = Grant(
        issuer=root.key.key_id,
        subject=authority.key,
        role=Role.AUTHORITY,
        max_class=MAX_CLASS,
        level=MAX_LEVEL,
        places=(ring.root_place,),
        not_before_us=begins_us,
        expires_us=now_us + AUTHORITY_US,
        serial=_next_serial(authority, now_us),
        rights=RIGHTS,
    )
    others = [token for token in authority.tokens if parse_grant(token).issuer != root.key.key_id]
    return replace(authority, tokens=(*others, issue(grant, root.secret)))


def renewed(ring: Ring, now_us: int) -> Ring:
    """With fresh grants where they run out soon or are not valid yet (the clock was wrong at first)."""
    authority = ring.holder(Office.AUTHORITY)
    for root, grant in [(root, grant) for root in ring.roots for grant in authority.grants]:
        if grant.issuer == root.key.key_id and root.secret and not _lasts(grant, now_us, RENEW_AUTHORITY_US):
            begins_us = min(now_us, grant.not_before_us)
            authority = authorised(ring, authority, root, now_us, begins_us)
    ring = ring.with_holder(authority)
    upper = ring.upper_grant()
    if authority.secret is None or not _lasts(upper, now_us, 0):
        return ring
    for office in TERMS:
        holder = ring.holder(office)
        lower = holder.grants[0]
        fits = upper.not_before_us <= lower.not_before_us and lower.expires_us <= upper.expires_us
        if not (fits and lower.issuer == authority.key.key_id and _lasts(lower, now_us, RENEW_NODE_US)):
            ring = ring.with_holder(appointed(ring, holder, now_us))
    return ring


def check_believed(ring: Ring, now_us: int) -> None:
    """RefusedError when a speaker that believes the first root would not believe an office."""
    upper = ring.holder(Office.AUTHORITY).by(ring.roots[0].key.key_id)
    if upper is None:
        raise RefusedError("root", f"{ring.roots[0].name} has granted the authority nothing")
    roots = {ring.roots[0].key.key_id: ring.roots[0].key}
    for office in TERMS:
        verify_chain((upper, *ring.holder(office).tokens), roots, (ring.root_place,), now_us)


def _granted_by_all(ring: Ring, now_us: int) -> Ring:
    """The authority, granted by every root whose key is here and that has not done so yet."""
    authority = ring.holder(Office.AUTHORITY)
    begins_us = min([now_us, *(grant.not_before_us for grant in authority.grants)])
    for root in ring.roots:
        if root.secret is not None and authority.by(root.key.key_id) is None:
            authority = authorised(ring, authority, root, now_us, begins_us)
    return ring.with_holder(authority)


def _root(vault: KeyVault, generation: int) -> Root:
    key = _key(vault, vault_name("root", generation))
    return Root(key.public, generation, key)


def _key(vault: KeyVault, name: str) -> SigningKey:
    return vault.load(name) or vault.create(name)


def _lasts(grant: Grant, now_us: int, ahead_us: int) -> bool:
    return grant.not_before_us <= now_us and now_us + ahead_us < grant.expires_us


def _next_serial(holder: Holder, now_us: int) -> int:
    return max([now_us, *(grant.serial + 1 for grant in holder.grants)])
