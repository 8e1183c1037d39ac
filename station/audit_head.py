"""A signed head: the node's word for what the audit log was at a moment, and the grants that make it one.

    signature = Ed25519("loa-audit-head\\0" | canonical JSON of number, at_us, hash, key_id)

Laws: a head holds for every entry up to its own, since their hashes are in it; whoever can write the database
and does not have the node's key can make none. `grants` lead from below a root to the key that signed, upper
first, so that a head can be checked when that key is long gone. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import ProtocolError, RefusedError
from ..trust.grants import ChainStore
from ..trust.keys import SigningKey, VerifyKey
from ..trust.tokens import Role, parse_grant
from .audit_entry import canonical

_DOMAIN = b"loa-audit-head\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """As it was read; `check_head` says whether it holds."""

    number: int
    at_us: int
    hash: str
    key_id: str
    grants: tuple[str, ...] = field(repr=False)
    signature: bytes = field(repr=False)

    def fields(self) -> dict[str, object]:
        """As JSON, the signature in hex."""
        values: dict[str, object] = {name: getattr(self, name) for name in self.__slots__}
        return values | {"signature": self.signature.hex(), "grants": list(self.grants)}


def sign_head(
    key: SigningKey, grants: Sequence[str], *, number: int, at_us: int, entry_hash: str
) -> AuditHead:
    """`grants`: whatever the node has; those that lead to `key` are kept."""
    key_id = key.public.key_id
    return AuditHead(
        number=number,
        at_us=at_us,
        hash=entry_hash,
        key_id=key_id,
        grants=leading_to(key_id, grants),
        signature=key.sign(_signed(number, at_us, entry_hash, key_id)),
    )


def leading_to(key_id: str, grants: Sequence[str]) -> tuple[str, ...]:
    """Those of `grants` by which this key is believed, in the order they came in."""
    links = [(token, parse_grant(token)) for token in dict.fromkeys(grants)]
    wanted, found = {key_id}, set[str]()
    while wanted:
        above: set[str] = set()
        for token, link in links:
            if link.subject.key_id in wanted and token not in found:
                found.add(token)
                above.add(link.issuer)
        wanted = above
    return tuple(token for token, _ in links if token in found)


def check_head(head: AuditHead, roots: Sequence[VerifyKey]) -> None:
    """RefusedError or ProtocolError unless a node below one of `roots` has signed it, when it could."""
    chains = ChainStore({root.key_id: root for root in roots})
    refusal: RefusedError | None = None
    for token in head.grants:
        try:
            chains.learn(token)
        except RefusedError as problem:
            refusal = problem  # of a root that is pinned no more, perhaps; another grant may do
    try:
        links = chains.chains(head.key_id, head.at_us)
    except RefusedError as problem:
        raise refusal or problem from None
    if all(link.role is not Role.NODE for link in links):
        raise RefusedError("role", f"key {head.key_id} is a {links[0].role}'s, expected a node's")
    if not links[0].subject.verify(head.signature, _signed(head.number, head.at_us, head.hash, head.key_id)):
        raise RefusedError("signature", f"the signature is not that of key {head.key_id}")


def _signed(number: int, at_us: int, entry_hash: str, key_id: str) -> bytes:
    return _DOMAIN + canonical({"number": number, "at_us": at_us, "hash": entry_hash, "key_id": key_id})


def head_from(fields: Mapping[str, object]) -> AuditHead:
    """From parsed JSON. ProtocolError for what no head can look like."""
    try:
        number, at_us, grants = fields["number"], fields["at_us"], fields["grants"]
        if not isinstance(number, int) or not isinstance(at_us, int) or not isinstance(grants, list):
            raise TypeError("number and at_us are whole numbers, grants a list")
        return AuditHead(
            number=number,
            at_us=at_us,
            hash=str(fields["hash"]),
            key_id=str(fields["key_id"]),
            grants=tuple(map(str, grants)),
            signature=bytes.fromhex(str(fields["signature"])),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise ProtocolError(f"audit head: {problem}; expected one as it was written") from problem
