"""The station's places, speakers, programs and accounts, kept in memory so that no question waits for a
database.

Laws: the database is the truth and is written first; what is here is what it last said; nothing but this
module changes these maps. An emergency is planned from here alone. Owned by the desk, used on the loop
only.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from ..errors import NotFoundError
from ..station.accounts import Account, AccountState, name_key
from ..station.place import Place
from ..station.programs import Program
from ..station.speaker import Speaker, SpeakerState
from ..station.station import Station
from ..streamer.territory import Place as LinePlace
from ..streamer.territory import Territory

T = TypeVar("T")


class Directory:
    """See the module. Empty until `load`."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._places: dict[str, Place] = {}
        self._speakers: dict[str, Speaker] = {}
        self._at: dict[str, set[str]] = {}
        self._programs: dict[str, Program] = {}
        self._accounts: dict[str, Account] = {}
        self.version = 0
        """Counts changes of places and speakers."""

    async def load(self) -> None:
        """Everything, from the database."""
        await self.reload_places()
        self._speakers, self._at = {}, {}
        for speaker in await self._station.speakers.list():
            self.put_speaker(speaker)
        self._programs = {program.id: program for program in await self._station.programs.list()}
        self._accounts = {account.id: account for account in await self._station.accounts.list()}

    async def reload_places(self) -> Territory:
        """Read the places again; returns them as a line (built off the loop: a country's takes 50 ms)."""
        places = await self._station.places.list()
        self._places = {place.id: place for place in places}
        self.version += 1
        return await asyncio.to_thread(as_line, places)

    @property
    def places(self) -> Mapping[str, Place]:
        """In depth-first order."""
        return MappingProxyType(self._places)

    @property
    def speakers(self) -> Mapping[str, Speaker]:
        return MappingProxyType(self._speakers)

    @property
    def programs(self) -> Mapping[str, Program]:
        """Newest first."""
        return MappingProxyType(self._programs)

    @property
    def accounts(self) -> Mapping[str, Account]:
        return MappingProxyType(self._accounts)

    def place(self, place_id: str) -> Place:
        return _found(self._places, place_id, "place")

    def speaker(self, speaker_id: str) -> Speaker:
        return _found(self._speakers, speaker_id, "speaker")

    def program(self, program_id: str) -> Program:
        return _found(self._programs, program_id, "program")

    def speakers_at(self, places: Iterable[str]) -> Iterator[Speaker]:
        """Those at exactly these places."""
        for place in places:
            for speaker in self._at.get(place, ()):
                yield self._speakers[speaker]

    def active(self, account_id: str) -> bool:
        """Whether somebody may log in with it."""
        account = self._accounts.get(account_id)
        return account is not None and account.state is AccountState.ACTIVE

    def admitted_at(self, places: Iterable[str]) -> Iterator[Speaker]:
        """Those of them that are let in: whom an order is meant for."""
        return (speaker for speaker in self.speakers_at(places) if speaker.state is SpeakerState.ACTIVE)

    def account_called(self, name: str) -> tuple[str | None, str]:
        """Id and name of the account that logs in by this name, however spelt; None and nothing else."""
        key = name_key(name)
        found = (account for account in self._accounts.values() if name_key(account.name) == key)
        return next(((account.id, account.name) for account in found), (None, ""))

    def account_name(self, account_id: str | None) -> str:
        """Empty when nobody, or nobody known, is behind it."""
        account = self._accounts.get(account_id or "")
        return account.name if account else ""

    def put_speaker(self, speaker: Speaker) -> None:
        """It was enrolled, changed or moved."""
        self._leave_place(speaker.id)
        self._speakers[speaker.id] = speaker
        self._at.setdefault(speaker.place, set()).add(speaker.id)
        self.version += 1

    def drop_speaker(self, speaker_id: str) -> None:
        self._leave_place(speaker_id)
        self._speakers.pop(speaker_id, None)
        self.version += 1

    def put_program(self, program: Program) -> None:
        if program.id in self._programs:
            self._programs[program.id] = program
        else:
            self._programs = {program.id: program} | self._programs

    def drop_program(self, program_id: str) -> None:
        self._programs.pop(program_id, None)

    def put_account(self, account: Account) -> None:
        self._accounts[account.id] = account

    def _leave_place(self, speaker_id: str) -> None:
        known = self._speakers.get(speaker_id)
        if known is not None:
            self._at[known.place].discard(speaker_id)


def as_line(places: Iterable[Place]) -> Territory:
    """The station's places as the streamer's territory."""
    return Territory(
        LinePlace(place.id, place.parent, place.name, place.slug, place.kind, place.position)
        for place in places
    )


def _found(known: Mapping[str, T], name: str, what: str) -> T:
    try:
        return known[name]
    except KeyError:
        raise NotFoundError(f"{what} {name!r} does not exist, expected the id of one that does") from None
