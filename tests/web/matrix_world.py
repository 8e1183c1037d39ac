"""A house with one of everything at every place, for the matrix of rights: made when it is first asked for.

`GUESS` stands for a place that does not exist, and so for things of which the id is guessed.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import sqlalchemy as sa

from loa.clock import VirtualClock
from loa.codecs.bulletin import Bulletin, Part
from loa.station.accounts import AccountState
from loa.station.act import Act
from loa.station.codes import NewCode
from loa.station.content import TEXT
from loa.station.role import Builtin, NewRole
from loa.station.speaker import NewSpeaker, SpeakerState
from loa.station.text_note import build_note
from loa.streamer.broadcast import Order, ToneSource
from loa.streamer.outputs.group import LanCodec
from loa.trust.keys import SigningKey
from loa.web.airing import accept, alert
from loa.web.desk import Desk
from loa.web.ordering import Material, new_id
from loa.web.session_book import Origin, SignedIn
from loa.wire.rank import BroadcastClass, Severity

GUESS = "f" * 16
MOVING = {"session", "audit_entry", "audit_head", "setting", "alembic_version", "play_ordered", "play_heard"}
"""Tables that refusals write to as well, those of the house, and the log that follows what is on air."""


@dataclass
class World:
    """`made`: everything there is, and at which place."""

    desk: Desk
    clock: VirtualClock
    land: Any
    made: dict[str, str] = field(default_factory=dict)
    _kept: dict[tuple[str, ...], str] = field(default_factory=dict)

    def forget(self) -> None:
        """What was made may have been changed: the next who asks gets a new one."""
        self._kept.clear()
        for on_air in self.desk.air.on_air():
            self.desk.air.stop(on_air.order.id)

    async def speaker(self, place: str, state: SpeakerState = SpeakerState.ACTIVE) -> str:
        async def make() -> str:
            key = SigningKey.generate().public.raw.hex()
            new = NewSpeaker(place, "Cụm", key, state=state)
            speaker = await self.desk.station.speakers.add(new, now_us=self.clock.now_us())
            self.desk.speaker_changed(speaker)
            return speaker.id

        return await self._thing(place, make, "speaker", state)

    async def program(self, place: str) -> str:
        async def make() -> str:
            async def chunks() -> AsyncIterator[bytes]:
                yield b"sound"

            content = self.desk.services.content
            made = await content.receive(chunks(), place=place, title="Bài hát", now_us=self.clock.now_us())
            work = asyncio.create_task(content.run())
            self.desk.directory.put_program(await content.settled(made.id))
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return made.id

        return await self._thing(place, make, "program")

    async def text(self, place: str) -> str:
        """A bulletin that waits to be read out."""

        async def make() -> str:
            note = build_note(Bulletin((Part("vi", "Họp."),)))

            async def chunks() -> AsyncIterator[bytes]:
                yield note

            made = await self.desk.services.content.receive(
                chunks(), place=place, title="Họp", now_us=self.clock.now_us(), kind=TEXT
            )
            self.desk.directory.put_program(made)
            return made.id

        return await self._thing(place, make, "text")

    async def push(self, place: str) -> str:
        async def make() -> str:
            name, now_us = f"m-{secrets.token_hex(6)}", self.clock.now_us()
            new = await self.desk.station.pushes.add(
                place=place, name=name, title="Máy xã", created_by=None, now_us=now_us
            )
            self.desk.pushes.put(new.about)
            return new.about.id

        return await self._thing(place, make, "push")

    async def multicast(self, place: str) -> str:
        async def make() -> str:
            group = await self.desk.station.multicasts.add(
                place=place,
                group=str(ip_address(0xEF000000 + secrets.randbits(24))),
                port=5004,
                codec=LanCodec.PCMU,
                classes=BroadcastClass,
                ttl=1,
                interface="",
                created_by=None,
                now_us=self.clock.now_us(),
            )
            return group.id

        return await self._thing(place, make, "multicast")

    async def radio(self, place: str) -> str:
        async def make() -> str:
            radio = await self.desk.station.radios.add(
                place=place,
                name="Đài",
                addresses=["http://radio.test/live"],
                created_by=None,
                now_us=self.clock.now_us(),
            )
            self.desk.radios.put(radio)
            return radio.id

        return await self._thing(place, make, "radio")

    async def broadcast(self, place: str, cls: BroadcastClass = BroadcastClass.ORDINARY) -> str:
        """On air at the place and below it, issued for it."""

        return await self._on_air(place, place, cls)

    async def from_above(self, place: str, cls: BroadcastClass = BroadcastClass.ORDINARY) -> str:
        """On air at the place and below it, issued for the root."""
        return await self._on_air(place, self.land.province.id, cls)

    async def _on_air(self, place: str, issuer: str, cls: BroadcastClass) -> str:
        async def make() -> str:
            order = Order(
                id=new_id(),
                program_id=new_id(),
                title="Tin",
                targets=(place,),
                cls=cls,
                severity=Severity.MINOR if cls is BroadcastClass.EMERGENCY else Severity.UNKNOWN,
                issuer_place=issuer,
                expires_us=self.clock.now_us() + 3600 * 1_000_000,
                source=ToneSource(),
            )
            put = alert if cls is BroadcastClass.EMERGENCY else accept
            await put(self.desk, order, Material(order.source), None)
            return order.id

        return await self._thing(place, make, "broadcast", issuer, cls.name)

    async def code(self, place: str) -> str:
        async def make() -> str:
            new = NewCode(secrets.token_hex(32), place, "Cụm mới")
            return (await self.desk.station.codes.add(new, now_us=self.clock.now_us())).id

        return await self._thing(place, make, "code")

    async def account(self, place: str) -> str:
        """A viewer there."""

        async def make() -> str:
            return (await self.person(Builtin.VIEWER, place)).id

        return await self._thing(place, make, "account")

    async def role(self, place: str) -> str:
        """One of the station's own; they are at no place."""

        async def make() -> str:
            new = NewRole(f"Vai {secrets.token_hex(4)}", frozenset({Act.SEE}))
            return (await self.desk.station.roles.add(new)).id

        return await self._thing(place, make, "role")

    async def person(self, builtin: Builtin | None, place: str) -> SignedIn:
        """Somebody who has this role there, or none, and is logged in."""
        desk, station = self.desk, self.desk.station
        made = await station.accounts.add(f"n{secrets.token_hex(6)}", now_us=self.clock.now_us())
        await station.accounts.change_password(made.account.id, old=made.password, new="một câu đủ dài")
        account = await station.accounts.get(made.account.id)
        assert account.state is AccountState.ACTIVE
        desk.directory.put_account(account)
        if builtin is not None:
            role = next(role.id for role in desk.authority.roles.values() if role.builtin is builtin)
            await station.roles.set_assignments(account.id, [(role, place)])
        return await desk.sessions.open(account, Origin())

    async def state(self) -> dict[str, object]:
        """All that a refusal must leave as it was."""
        await self.desk.recorder.drain()
        found: dict[str, object] = {}
        async with self.desk.station.database.read() as session:
            names = await session.run_sync(lambda s: sa.inspect(s.get_bind()).get_table_names())
            for name in sorted(set(names) - MOVING):
                rows = await session.execute(sa.text(f"SELECT * FROM {name} ORDER BY 1, 2"))
                found[name] = [tuple(row) for row in rows]
        found["on air"] = {one.order.id for one in self.desk.air.on_air()}
        found["keys"] = self.desk.services.keyring.ring
        return found

    async def _thing(self, place: str, make: Callable[[], Awaitable[str]], *what: str) -> str:
        if place == GUESS:
            return GUESS
        key = (*what, place)
        if key not in self._kept:
            self._kept[key] = await make()
            self.made[self._kept[key]] = place
        return self._kept[key]
