"""What speakers are told of the node's keys: grants, roots to pin, grants that are void.

Laws: who links is told all of it after its welcome; who is linked is told of a change at once, new grants
first, then what takes old ones away, so that no speaker is without a chain in between; when another registrar
signs, every placement and volume is signed anew and sent, a few links in each turn of the loop.
Owned by the composition root, which runs `run` in its task group.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from .station.keyring import Keyring, KeysEvent
from .streamer.admission import Enrolled
from .streamer.links import Links
from .trust.statements import Statement, StatementKind
from .wire.control import Chain, Revoked, Roots, Want, build_control

PIECE_LINKS = 16
"""Placements signed and sent in one turn of the loop: about a millisecond."""


class Placements(Protocol):
    """The roster, as it is needed here."""

    def unsigned(self) -> Sequence[str]:
        """Forget every placement that was signed. Whose they were."""
        ...

    def find(self, speaker_id: str) -> Enrolled | None:
        """With a placement, signed by who signs now."""
        ...


class Orders(Protocol):
    """Orders that are kept as they were signed."""

    async def sign_anew(self, signer: str) -> None:
        """Have this key sign whatever another has signed. At a start too: a crash may have come between."""
        ...


class KeyNews:
    """See the module."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._registrar = keyring.registrar_token
        self._anew = asyncio.Event()
        self._links: Links | None = None
        self._messages: tuple[bytes, ...] = ()
        self._chain = b""
        self._read()

    def send_by(self, links: Links) -> None:
        """From now on changes go out."""
        self._links = links
        self._keyring.subscribe(self._on_keys)

    def messages(self) -> Sequence[bytes]:
        """After a welcome, which has the grants below the first root already."""
        return self._messages

    def wanted(self, want: Want) -> Sequence[bytes]:
        """The grants, for a speaker that met a key it does not know; nothing when it is none of ours."""
        ring = self._keyring.ring
        keys = {holder.key.key_id for holder in (*ring.holders, *(one.holder for one in ring.retired))}
        return [self._chain] if want.kind == "chain" and want.hash.hex() in keys else []

    async def run(self, roster: Placements, volumes: Orders, links: Links) -> None:
        """Until cancelled: place speakers and order volumes anew when somebody else signs for it."""
        while True:
            await volumes.sign_anew(self._keyring.registrar.public.key_id)
            await self._anew.wait()
            self._anew.clear()
            for number, speaker in enumerate(roster.unsigned()):
                enrolled = roster.find(speaker) if links.online(speaker) else None
                if enrolled is not None:
                    links.place(speaker, enrolled.placement)
                if number % PIECE_LINKS == 0:
                    await asyncio.sleep(0)

    def _on_keys(self, event: KeysEvent) -> None:
        if event is KeysEvent.TOLD:
            self._read()
            self._tell()
        elif self._keyring.registrar_token != self._registrar:
            self._registrar = self._keyring.registrar_token
            self._anew.set()

    def _read(self) -> None:
        grants, others = self._keyring.grants, self._keyring.other_grants
        self._chain = build_control(Chain((*grants, *others)))
        said = [_said(statement) for statement in self._keyring.statements]
        self._messages = (*said, build_control(Chain(others))) if others else tuple(said)

    def _tell(self) -> None:
        if self._links is not None:
            first = build_control(Chain(self._keyring.grants))
            for message in (first, *self._messages):
                self._links.tell_all(message, urgent=True)


def _said(statement: Statement) -> bytes:
    roots = statement.kind is StatementKind.ROOTS
    return build_control(Roots(statement) if roots else Revoked(statement))
