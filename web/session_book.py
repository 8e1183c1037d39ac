"""Who is logged in, kept in memory: the check of a session on an emergency's way waits for no database.

Laws: the database is the truth and is written first; a session that was ended elsewhere is gone here within
`CHECK_EVERY_S`; a token is held as its hash only; a stranger who tries tokens is slowed before the database
is asked. At most `MAX_SESSIONS` are remembered, the least used forgotten first (and found again in the
database).
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass, field

from ..clock import Clock
from ..errors import NotFoundError
from ..station.accounts import Account
from ..station.act import Act
from ..station.sessions import NewSession, hash_token
from ..station.station import Station
from .rate_limit import RateLimit
from .unbroken import unbroken

CHECK_EVERY_S = 30.0
MAX_SESSIONS = 10_000
MAX_TOKEN_CHARS = 64


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What an API token narrows its account to: these acts, at these places and below them."""

    acts: frozenset[Act]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a session, or a program with an API token. Its repr shows no secret."""

    account: Account
    expires_us: int
    csrf: str = field(repr=False)
    token: str = field(repr=False)
    session: str = ""
    """The id of the session, or of the API token."""
    second_factor: bool = False
    """Shown at this log-in; with an API token: its account has one."""
    token_scope: TokenScope | None = None
    """None: a session, which may do all that its account may."""

    @property
    def id(self) -> str:
        return self.account.id

    @property
    def name(self) -> str:
        return self.account.name


class SessionBook:
    """See the module. `run` until cancelled."""

    def __init__(self, station: Station, clock: Clock) -> None:
        self._station, self._clock = station, clock
        self._known: OrderedDict[str, SignedIn] = OrderedDict()
        self._strangers = RateLimit(burst=20, refill_s=1.0)

    def __len__(self) -> int:
        return len(self._known)

    async def open(self, account: Account) -> SignedIn:
        """A new session of somebody who has just proved who they are."""
        opened: NewSession = await self._station.sessions.open(account.id, now_us=self._clock.now_us())
        return self._remember(opened.token, account, opened.session.expires_us)

    async def find(self, token: str, stranger: str) -> SignedIn | None:
        """Whose session it is; `stranger` is where the question comes from."""
        known = self.known(token)
        if known is not None or not 0 < len(token) <= MAX_TOKEN_CHARS:
            return known
        now_us = self._clock.now_us()
        if self._strangers.wait_s(stranger, now_us):
            return None
        found = await self._station.sessions.find(token, now_us=now_us)
        if found is None:
            self._strangers.spend(stranger, now_us)
            return None
        return self._remember(token, await self._station.accounts.get(found.account), found.expires_us)

    def known(self, token: str) -> SignedIn | None:
        """From memory only."""
        name = hash_token(token)
        known = self._known.get(name)
        if known is None:
            return None
        if known.expires_us <= self._clock.now_us():
            del self._known[name]
            return None
        self._known.move_to_end(name)
        return known

    async def close(self, who: SignedIn) -> None:
        await self._station.sessions.close(who.token)
        self._known.pop(hash_token(who.token), None)

    async def change_password(self, who: SignedIn, old: str, new: str) -> SignedIn:
        """Every other session of the account is over; this one gets a new token as well."""
        account = await self._station.accounts.change_password(who.id, old=old, new=new)
        for name in [name for name, known in self._known.items() if known.id == who.id]:
            del self._known[name]
        return await self.open(account)

    async def run(self) -> None:
        """Look again and again whether what is remembered still holds; forget what is over."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await unbroken(self.check(), "web sessions: check")

    async def check(self) -> None:
        """Drop what the database no longer knows, and have it forget what is over."""
        await self._station.sessions.purge(self._clock.now_us())
        for name, known in list(self._known.items()):
            found = await self._station.sessions.find(known.token, now_us=self._clock.now_us())
            try:
                account = await self._station.accounts.get(known.id) if found else None
            except NotFoundError:
                account = None
            if account is None:
                self._known.pop(name, None)
            elif name in self._known and account != known.account:
                self._remember(known.token, account, known.expires_us)

    def _remember(self, token: str, account: Account, expires_us: int) -> SignedIn:
        who = SignedIn(account, expires_us, csrf_of(token), token)
        self._known[hash_token(token)] = who
        while len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)
        return who


def csrf_of(token: str) -> str:
    """What a page must send along: another site can make a browser send the cookie, not compute this."""
    return hmac.new(token.encode(), b"loa-csrf", hashlib.sha256).hexdigest()[:32]
