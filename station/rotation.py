"""Changing keys: a new one with overlap, an old one declared void. Values in, values out.

Laws: a new key is believed before the old one is not: what is rotated out stays granted, and is passed on to
speakers, until it is revoked, by hand or after `OVERLAP_US`; nobody revokes what is in use; a list of revoked
grants is signed by who granted them; versions only grow; a new generation of root is announced by
one that speakers have pinned already. ConfigError names the key that must be brought back for it.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..errors import ConfigError, ConflictError, NotFoundError
from ..trust.keys import SigningKey, VerifyKey
from ..trust.statements import (
    MAX_REVOKED,
    Revocations,
    Revoked,
    RootsOrder,
    open_statement,
    sign_statement,
)
from .ring import (
    AUTHORITY_US,
    DAY_US,
    NODE_US,
    TERMS,
    Holder,
    Office,
    Retired,
    Ring,
    Root,
    appointed,
    authorised,
    vault_name,
)
from .vault import KeyVault

ROOT = "root"
ROTATABLE = (*(office.value for office in Office), ROOT)
OVERLAP_US = DAY_US
"""Longer than any broadcast (four hours), so that what a key has put on air ends by itself, not by its
revocation; a speaker that was off for longer is given the new grants before the old ones are void.
"""
MOST_RETIRED = 8
"""Each is passed on in every welcome (500 bytes); more in one day is a mistake, or a script."""
MOST_PINNED = 8
"""Announcements of roots kept: a speaker that slept through seven generations is enrolled anew."""


def rotated(ring: Ring, which: str, vault: KeyVault, now_us: int) -> Ring:
    """With a fresh key for an office, or the next generation of root. Blocks: makes a key."""
    if which == ROOT:
        return _next_root(ring, vault, now_us)
    if which not in ROTATABLE:
        raise NotFoundError(f"there is no key {which!r}, expected one of {', '.join(ROTATABLE)}")
    if len(ring.retired) >= MOST_RETIRED:
        raise ConflictError(
            f"{len(ring.retired)} keys are rotated out and not revoked yet; expected to revoke them first"
        )
    old = ring.holder(Office(which))
    fresh = _fresh(old, ring, vault)
    if old.office is Office.AUTHORITY:
        grown = _new_authority(ring, fresh, now_us)
    else:
        grown = ring.with_holder(appointed(ring, fresh, now_us))
    return replace(grown, retired=(*ring.retired, Retired(old, now_us)))


def voided(ring: Ring, key_id: str, now_us: int) -> Ring:
    """A key that was rotated out is believed no more. NotFoundError, ConflictError (it is in use)."""
    holder = _retired(ring, key_id)
    for grant in holder.grants:
        signer = _signer(ring, grant.issuer)
        if signer is not None:
            ring = _listed(ring, signer, Revoked(key_id, grant.serial), now_us)
    return replace(
        ring,
        retired=tuple(one for one in ring.retired if one.holder.key.key_id != key_id),
        revoked=tuple(statement for statement in ring.revoked if statement.key_id != key_id),
    )


def settled(ring: Ring, now_us: int) -> Ring:
    """What was rotated out long enough ago is revoked, as far as the keys that are here allow."""
    for one in ring.retired:
        if now_us - one.since_us >= OVERLAP_US:
            try:
                ring = voided(ring, one.holder.key.key_id, now_us)
            except ConfigError:
                continue
    return ring


def announced(ring: Ring, signer: SigningKey, now_us: int) -> Ring:
    """With a statement that exactly its roots are pinned from now on."""
    version = max(now_us, ring.version + 1)
    order = RootsOrder(version, tuple(root.key for root in ring.roots))
    pinned = (*ring.pinned, sign_statement(order, signer))[-MOST_PINNED:]
    return replace(ring, version=version, pinned=pinned)


def revoked_by(ring: Ring) -> dict[str, Revocations]:
    """What each issuer has revoked, by its key id."""
    keys = {key.key_id: key for key in _issuers(ring)}
    found = {
        statement.key_id: open_statement(statement, keys[statement.key_id]) for statement in ring.revoked
    }
    return {key_id: content for key_id, content in found.items() if isinstance(content, Revocations)}


def _next_root(ring: Ring, vault: KeyVault, now_us: int) -> Ring:
    """The oldest leaves, the next one joins; the authority is granted by it at once."""
    staying = ring.roots[1:] or ring.roots
    signer = next((root.secret for root in (*staying, *ring.roots) if root.secret), None)
    if signer is None:
        names = " or ".join(f"{root.name}.key" for root in ring.roots)
        raise ConfigError(f"keyring: {names} is needed to announce a new root; expected it back for this")
    generation = ring.roots[-1].generation + 1
    key = _key(vault, ROOT, generation)
    joined = Root(key.public, generation, key)
    old = ring.holder(Office.AUTHORITY)
    kept = tuple(token for root in staying if (token := old.by(root.key.key_id)))
    if not kept:
        raise ConfigError(f"keyring: {staying[0].name} has granted the authority nothing; rotate that first")
    begins_us = min(grant.not_before_us for grant in old.grants)
    authority = authorised(ring, replace(old, tokens=kept), joined, now_us, begins_us)
    grown = replace(ring, roots=(*staying, joined)).with_holder(authority)
    gone = {root.key.key_id for root in ring.roots} - {root.key.key_id for root in staying}
    grown = replace(grown, revoked=tuple(one for one in ring.revoked if one.key_id not in gone))
    return announced(grown, signer, now_us)


def _new_authority(ring: Ring, authority: Holder, now_us: int) -> Ring:
    """Granted by every root, and every office below granted by it."""
    away = [f"{root.name}.key" for root in ring.roots if root.secret is None]
    if away:
        raise ConfigError(
            f"keyring: {' and '.join(away)} must grant the new authority; expected back in the keys folder"
        )
    begins_us = min(grant.not_before_us for grant in ring.holder(Office.AUTHORITY).grants)
    for root in ring.roots:
        authority = authorised(ring, authority, root, now_us, begins_us)
    ring = ring.with_holder(authority)
    for office in TERMS:
        ring = ring.with_holder(appointed(ring, ring.holder(office), now_us))
    return ring


def _fresh(old: Holder, ring: Ring, vault: KeyVault) -> Holder:
    """The next generation of an office, not granted anything yet."""
    retired = [one.holder.generation for one in ring.retired if one.holder.office is old.office]
    generation = max([old.generation, *retired]) + 1
    key = _key(vault, old.office, generation)
    return Holder(old.office, generation, key.public, (), key)


def _key(vault: KeyVault, what: str, generation: int) -> SigningKey:
    """One left by a rotation that was cut short is taken up: nobody has heard of it yet."""
    name = vault_name(what, generation)
    return vault.load(name) or vault.create(name)


def _retired(ring: Ring, key_id: str) -> Holder:
    for one in ring.retired:
        if one.holder.key.key_id == key_id:
            return one.holder
    for what, key in _in_use(ring):
        if key.key_id == key_id:
            raise ConflictError(f"key {key_id} is in use as {what}; expected to rotate {what} first")
    raise NotFoundError(f"key {key_id} is none of this node's, or revoked already")


def _in_use(ring: Ring) -> Sequence[tuple[str, VerifyKey]]:
    return [
        *((ROOT, root.key) for root in ring.roots),
        *((holder.office.value, holder.key) for holder in ring.holders),
    ]


def _signer(ring: Ring, issuer: str) -> SigningKey | None:
    """Who can take back what `issuer` granted; None when nobody believes that issuer any more."""
    held = [(root.name, root.key, root.secret) for root in ring.roots]
    held += [(one.name, one.key, one.secret) for one in ring.holders]
    held += [(one.holder.name, one.holder.key, one.holder.secret) for one in ring.retired]
    for name, key, secret in held:
        if key.key_id == issuer:
            if secret is None:
                raise ConfigError(
                    f"keyring: {name}.key is away, and only it can revoke what it granted; expected it back"
                )
            return secret
    return None


def _listed(ring: Ring, signer: SigningKey, entry: Revoked, now_us: int) -> Ring:
    """With `entry` on the signer's list, and without those whose grants have expired by themselves."""
    issuer = signer.public.key_id
    before = revoked_by(ring).get(issuer)
    lifetime_us = AUTHORITY_US if any(root.key.key_id == issuer for root in ring.roots) else NODE_US
    kept = [
        one
        for one in (before.revoked if before else ())
        if one.subject != entry.subject and one.serial + lifetime_us > now_us
    ]
    if len(kept) >= MAX_REVOKED:
        raise ConflictError(f"key {issuer} has revoked {len(kept)}; expected to rotate it instead")
    version = max(now_us, ring.version + 1)
    statement = sign_statement(Revocations(version, (*kept, entry)), signer)
    others = tuple(one for one in ring.revoked if one.key_id != issuer)
    return replace(ring, version=version, revoked=(*others, statement))


def _issuers(ring: Ring) -> Sequence[VerifyKey]:
    return [key for _, key in _in_use(ring)] + [one.holder.key for one in ring.retired]
