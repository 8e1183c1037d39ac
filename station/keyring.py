"""The node's keyring, alive: what it signs with, what speakers are told of it, and its rotation at work.

Laws:
- made once, at the first start, for the territory's root place; a chain that exists is never begun anew,
  whatever key is missing, because speakers have pinned its root;
- the keys of the roots and of the authority may be taken away (to a safe) when the chain is there, that for
  drills at the price of drills; those of node and registrar may not, for every link needs them;
- grants that run out soon are renewed, as far as the keys that are there allow, with a higher serial;
- a change is on the disk before anybody hears of it, and speakers have heard of a new key for `HAND_OVER_S`
  before it signs for the air, so that an emergency meets nobody who does not know it.
State: the `Ring` in use, on the disk as `chain.json` beside the keys; used on the loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

from ..errors import ConfigError, RefusedError
from ..trust.keys import SigningKey, VerifyKey
from ..trust.statements import Placement, Statement, VolumeOrder, sign_statement
from .ids import check_id
from .ring import Office, Ring, check_believed, completed, renewed
from .ring_file import read_ring, write_ring
from .rotation import announced, rotated, settled, voided
from .vault import KeyVault

HAND_OVER_S = 3.0
"""Grants overtake audio on a link and one that lags by more is cut (`streamer/link.py`)."""
SETTLE_S = 3600.0
NEEDED = (Office.NODE, Office.REGISTRAR)
"""Without them no speaker is welcome: the one signs time, the other where it stands."""


class KeysEvent(Enum):
    TOLD = "told"
    """There are other grants or statements for speakers: pass them on."""
    SIGNING = "signing"
    """Other keys sign from now on: what was signed ahead is to be signed again."""


Listener = Callable[[KeysEvent], None]


class Keyring:
    """See the module. Reading is free; what changes it is one at a time."""

    def __init__(self, ring: Ring, vault: KeyVault, path: Path, *, hand_over_s: float = HAND_OVER_S) -> None:
        self._ring = self._signing = ring
        self._vault = vault
        self._path = path
        self._hand_over_s = hand_over_s
        self._changing = asyncio.Lock()
        self._listeners: list[Listener] = []

    def __repr__(self) -> str:
        return f"Keyring({self._path})"

    @classmethod
    async def open(cls, folder: Path, vault: KeyVault, *, root_place: str, now_us: int) -> "Keyring":
        """Made at the first call, the same ever after. ConfigError when what is there does not fit."""
        ring = await asyncio.to_thread(open_ring, folder, vault, root_place, now_us)
        return cls(ring, vault, ring_path(folder))

    @property
    def ring(self) -> Ring:
        return self._ring

    @property
    def root_place(self) -> str:
        return self._ring.root_place

    @property
    def roots(self) -> tuple[VerifyKey, ...]:
        """The first is what enrolment codes pin."""
        return tuple(root.key for root in self._ring.roots)

    @property
    def grants(self) -> tuple[str, ...]:
        """Every upper link that a speaker needs that believes the first root, upper first."""
        return self._ring.grants()

    @property
    def other_grants(self) -> tuple[str, ...]:
        """For speakers that have pinned the other roots as well: to send after `statements`."""
        return self._ring.other_grants()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Which roots to pin, which grants are void; in the order in which they must be sent."""
        return (*self._ring.pinned, *self._ring.revoked)

    @property
    def node(self) -> SigningKey:
        return self._needed(Office.NODE)

    @property
    def node_token(self) -> str:
        return self._token(Office.NODE)

    @property
    def drill(self) -> SigningKey | None:
        """None when it is away: then there are no drills."""
        return self._signing.holder(Office.DRILL).secret

    @property
    def drill_token(self) -> str:
        return self._token(Office.DRILL)

    @property
    def registrar(self) -> SigningKey:
        return self._needed(Office.REGISTRAR)

    @property
    def registrar_token(self) -> str:
        return self._token(Office.REGISTRAR)

    def sign(self, content: Placement | VolumeOrder) -> Statement:
        """By the registrar."""
        return sign_statement(content, self.registrar)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Told of every change, on the loop; call what is returned to hear no more."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def rotate(self, which: str, *, now_us: int) -> None:
        """A fresh key for node, drill, registrar or authority, or the next generation of "root".

        Returns when the new key signs. ConfigError names a key that is away and needed for it.
        """
        await self._change(lambda ring: rotated(ring, which, self._vault, now_us))

    async def revoke(self, key_id: str, *, now_us: int) -> None:
        """A key that was rotated out is void at once. NotFoundError; ConflictError when it is in use."""
        await self._change(lambda ring: voided(ring, key_id, now_us))

    async def run(self, now_us: Callable[[], int]) -> None:
        """Until cancelled: renew what runs out, revoke what was rotated out a day ago."""
        while True:
            await asyncio.sleep(SETTLE_S)
            await self._change(lambda ring: settled(renewed(ring, now_us()), now_us()))

    async def _change(self, change: Callable[[Ring], Ring]) -> None:
        async with self._changing:
            ring = await asyncio.to_thread(self._changed, change)
            if ring == self._ring:
                return
            self._ring = ring
            self._tell(KeysEvent.TOLD)
            if _signers(ring) != _signers(self._signing):
                await asyncio.sleep(self._hand_over_s)
            self._signing = ring
            self._tell(KeysEvent.SIGNING)

    def _changed(self, change: Callable[[Ring], Ring]) -> Ring:
        ring = change(self._ring)
        if ring != self._ring:
            write_ring(self._path, ring)
        return ring

    def _tell(self, event: KeysEvent) -> None:
        for listener in list(self._listeners):
            listener(event)

    def _needed(self, office: Office) -> SigningKey:
        secret = self._signing.holder(office).secret
        assert secret is not None  # noqa: S101 - `open_ring` has looked
        return secret

    def _token(self, office: Office) -> str:
        return self._signing.holder(office).tokens[0]


def ring_path(folder: Path) -> Path:
    return folder / "chain.json"


def open_ring(folder: Path, vault: KeyVault, root_place: str, now_us: int) -> Ring:
    """Blocks: files, and key derivation."""
    check_id(root_place, where="root place of the keyring")
    path = ring_path(folder)
    kept = read_ring(path, vault) if path.exists() else None
    ring = kept or Ring(root_place, (), ())
    if ring.root_place != root_place:
        raise ConfigError(
            f"keyring {path}: made for root place {ring.root_place}, the territory's root is {root_place}; "
            "expected the keyring and the database of the same territory"
        )
    gone = [one.name for one in kept.holders if one.office in NEEDED and one.secret is None] if kept else []
    if gone:
        raise ConfigError(
            f"keyring {path}: the {gone[0]}'s key is gone; expected it beside the chain that names it"
        )
    ring = settled(renewed(completed(ring, vault, now_us), now_us), now_us)
    signer = ring.roots[0].secret
    if not ring.pinned and signer is not None:
        ring = announced(ring, signer, now_us)
    try:
        check_believed(ring, now_us)
    except RefusedError as problem:
        raise ConfigError(
            f"keyring {path}: no speaker would believe it ({problem}); expected the right time, and the keys "
            "of root and authority back in their folder"
        ) from problem
    if ring != kept:
        write_ring(path, ring)
    return ring


def _signers(ring: Ring) -> Sequence[VerifyKey]:
    return [holder.key for holder in ring.holders]
