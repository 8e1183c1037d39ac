"""The node's keys and the grants that make them believed: root -> place authority -> node.

Laws:
- made once, at the first start, for the territory's root place; a chain that exists is never begun anew,
  whatever key is missing, because speakers have pinned its root;
- the root's and the authority's keys may be taken away (to a safe) when the chain is there; the node's may
  not;
- grants that run out soon are renewed at start, as far as the keys that are there allow, with a higher
  serial.
State: `chain.json` beside the keys, replaced as a whole.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ProtocolError, RefusedError
from ..trust.grants import Grant, Role, issue, narrowed, parse_grant, verify_chain
from ..trust.keys import SigningKey, VerifyKey
from ..trust.tokens import MAX_CLASS, MAX_LEVEL, RIGHTS, SECOND_US
from .durable import replace_file
from .ids import check_id
from .vault import KeyVault

DAY_US = 86_400 * SECOND_US
AUTHORITY_US = 3_650 * DAY_US
NODE_US = 730 * DAY_US
"""Two years: a node that was stolen and never missed is out of it by then."""
RENEW_AUTHORITY_US = NODE_US
"""While a node's grant must fit into its authority's."""
RENEW_NODE_US = 120 * DAY_US
"""Before the first warning, 90 days ahead (ALERTING.md), would be due."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """`chain`: the tokens from the authority's grant down to the node's. `root_key`, `authority_key`: None
    when away.
    """

    root_place: str
    root: VerifyKey
    chain: tuple[str, ...]
    node: SigningKey
    authority_key: SigningKey | None
    root_key: SigningKey | None

    @classmethod
    async def open(cls, folder: Path, vault: KeyVault, *, root_place: str, now_us: int) -> "Keyring":
        """Made at the first call, the same ever after. ConfigError when what is there does not fit."""
        return await asyncio.to_thread(open_keyring, folder, vault, root_place, now_us)

    @property
    def authority_grant(self) -> Grant:
        return parse_grant(self.chain[0])

    @property
    def node_grant(self) -> Grant:
        return parse_grant(self.chain[-1])

    @property
    def expires_us(self) -> int:
        """When the node stops being believed, unless it is renewed."""
        return self.node_grant.expires_us

    def session(self, wanted: Grant) -> str:
        """A session's token: `wanted`, cut down to what this node may give, signed by it."""
        return issue(narrowed(self.node_grant, wanted), self.node)


def open_keyring(folder: Path, vault: KeyVault, root_place: str, now_us: int) -> Keyring:
    """Blocks: files, and key derivation."""
    check_id(root_place, where="root place of the keyring")
    path = folder / "chain.json"
    ring = _read(path, vault) if path.exists() else _make(vault, root_place, now_us)
    if ring.root_place != root_place:
        raise ConfigError(
            f"keyring {path}: made for root place {ring.root_place}, the territory's root is {root_place}; "
            "expected the keyring and the database of the same territory"
        )
    renewed = _renewed(ring, now_us)
    if not path.exists() or renewed != ring:
        _write(path, renewed)
    try:
        verify_chain(renewed.chain, {renewed.root.key_id: renewed.root}, (root_place,), now_us)
    except RefusedError as problem:
        raise ConfigError(
            f"keyring {path}: no speaker would believe it ({problem}); expected the right time, and the keys "
            "of root and authority back in their folder"
        ) from problem
    return renewed


def _make(vault: KeyVault, root_place: str, now_us: int) -> Keyring:
    """Keys left by a first start that was cut short are taken up, not replaced."""
    root, authority, node = (vault.load(name) or vault.create(name) for name in ("root", "authority", "node"))
    first = Grant(
        issuer=root.public.key_id,
        subject=authority.public,
        role=Role.AUTHORITY,
        max_class=MAX_CLASS,
        level=MAX_LEVEL,
        places=(root_place,),
        not_before_us=now_us,
        expires_us=now_us + AUTHORITY_US,
        serial=now_us,
        rights=RIGHTS,
    )
    second = replace(
        first,
        issuer=authority.public.key_id,
        subject=node.public,
        role=Role.NODE,
        expires_us=now_us + NODE_US,
    )
    chain = (issue(first, root), issue(second, authority))
    return Keyring(root_place, root.public, chain, node, authority, root)


def _renewed(ring: Keyring, now_us: int) -> Keyring:
    """With fresh grants where they run out soon or are not valid yet (the clock was wrong at first)."""
    upper, lower = ring.authority_grant, ring.node_grant
    if ring.root_key is not None and not _lasts(upper, now_us, RENEW_AUTHORITY_US):
        upper = _reissued(upper, now_us, AUTHORITY_US)
        ring = replace(ring, chain=(issue(upper, ring.root_key), ring.chain[1]))
    fits = upper.not_before_us <= lower.not_before_us and lower.expires_us <= upper.expires_us
    needed = not (fits and _lasts(lower, now_us, RENEW_NODE_US))
    if ring.authority_key is not None and needed and _lasts(upper, now_us, 0):
        lower = narrowed(upper, _reissued(lower, now_us, NODE_US))
        ring = replace(ring, chain=(ring.chain[0], issue(lower, ring.authority_key)))
    return ring


def _lasts(grant: Grant, now_us: int, ahead_us: int) -> bool:
    return grant.not_before_us <= now_us and now_us + ahead_us < grant.expires_us


def _reissued(grant: Grant, now_us: int, lifetime_us: int) -> Grant:
    """Valid from as early as before, so that what it was the parent of still fits into it."""
    begins_us = min(now_us, grant.not_before_us)
    serial = max(now_us, grant.serial + 1)
    return replace(grant, not_before_us=begins_us, expires_us=now_us + lifetime_us, serial=serial)


def _write(path: Path, ring: Keyring) -> None:
    fields = {"version": 1, "root_place": ring.root_place, "root": ring.root.raw.hex(), "chain": ring.chain}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(path, json.dumps(fields, indent=1).encode())


def _read(path: Path, vault: KeyVault) -> Keyring:
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        root = VerifyKey(bytes.fromhex(fields["root"]))
        chain = tuple(str(token) for token in fields["chain"])
        upper, lower = (parse_grant(token) for token in chain)
        root_place = str(fields["root_place"])
    except (OSError, ValueError, KeyError, TypeError, ProtocolError) as problem:
        raise ConfigError(f"keyring {path}: {problem}; expected the file as Loa wrote it") from problem
    node, authority, root_key = (vault.load(name) for name in ("node", "authority", "root"))
    if node is None:
        raise ConfigError(
            f"keyring {path}: the node's key is gone; expected it beside the chain it belongs to"
        )
    for key, public, name in (
        (node, lower.subject, "node"),
        (authority, upper.subject, "authority"),
        (root_key, root, "root"),
    ):
        if key is not None and key.public != public:
            raise ConfigError(
                f"keyring {path}: the {name}'s key is not the chain's; expected the one it names"
            )
    return Keyring(root_place, root, chain, node, authority, root_key)
