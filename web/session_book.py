"""Who is logged in, kept in memory: the check of a session on an emergency's way waits for no database.

Laws: the database is the truth and is written first; what was ended here is over at once, what was ended
elsewhere within `CHECK_EVERY_S`; a token is held as its hash only; a stranger who tries tokens is slowed
before the database is asked; only a request counts as use, an open page does not. At most `MAX_SESSIONS` are
remembered, the least used forgotten first (and found again in the database).
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..clock import Clock
from ..errors import NotFoundError
from ..station.accounts import Account, AccountState, OneTime
from ..station.act import Act
from ..station.api_tokens import PREFIX
from ..station.sessions import IDLE_US, hash_token
from ..station.station import Station
from .rate_limit import RateLimit
from .unbroken import unbroken

CHECK_EVERY_S = 30.0
SEEN_STEP_US = 60_000_000
"""How fine the time of last use is written: not a write for every request."""
MAX_SESSIONS = 10_000
MAX_TOKEN_CHARS = 64


@dataclass(frozen=True, slots=True)
class TokenScope:
    """What an API token narrows its account to: these acts, at these places and below them."""

    acts: frozenset[Act]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """From where somebody logs in: an address, and what the browser calls itself."""

    address: str = ""
    agent: str = ""


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


@dataclass(slots=True)
class _Kept:
    who: SignedIn
    seen_us: int
    written_us: int

    @property
    def ends_us(self) -> int:
        if self.who.token_scope is not None:
            return self.who.expires_us
        return min(self.who.expires_us, self.seen_us + IDLE_US)


class SessionBook:
    """See the module. `run` until cancelled."""

    def __init__(self, station: Station, clock: Clock) -> None:
        self._station, self._clock = station, clock
        self._known: OrderedDict[str, _Kept] = OrderedDict()
        self._strangers = RateLimit(burst=20, refill_s=1.0)
        self._ends = 0

    def __len__(self) -> int:
        return len(self._known)

    async def open(self, account: Account, origin: Origin, *, second_factor: bool = False) -> SignedIn:
        """A new session of somebody who has just proved who they are."""
        opened = await self._station.sessions.open(
            account.id,
            now_us=self._clock.now_us(),
            address=origin.address,
            agent=origin.agent,
            second_factor=second_factor,
        )
        session, token = opened.session, opened.token
        who = SignedIn(account, session.expires_us, csrf_of(token), token, session.id, second_factor)
        return self._remember(who, session.seen_us)

    async def find(self, token: str, stranger: str) -> SignedIn | None:
        """Whose session or API token it is, now used; `stranger` is where the question comes from."""
        known = self.known(token)
        if known is not None:
            self._known[hash_token(token)].seen_us = self._clock.now_us()
            return known
        now_us = self._clock.now_us()
        if not 0 < len(token) <= MAX_TOKEN_CHARS or self._strangers.wait_s(stranger, now_us):
            return None
        while True:
            ends = self._ends
            found = await self._load(token, now_us)
            if ends == self._ends:
                break  # nothing was ended while the database was asked
        if found is None:
            self._strangers.spend(stranger, now_us)
            return None
        return self._remember(found, now_us)

    def known(self, token: str) -> SignedIn | None:
        """From memory only; this does not count as use."""
        name = hash_token(token)
        kept = self._known.get(name)
        if kept is None:
            return None
        if kept.ends_us <= self._clock.now_us():
            del self._known[name]
            return None
        self._known.move_to_end(name)
        return kept.who

    def ends_us(self, who: SignedIn) -> int:
        """When it is over if nothing is asked any more."""
        kept = self._known.get(hash_token(who.token))
        return kept.ends_us if kept is not None else who.expires_us

    async def close(self, who: SignedIn) -> None:
        await self._station.sessions.close(who.token)
        self._drop(lambda known: known.session == who.session)

    async def end(self, account_id: str, session_id: str) -> None:
        """One of the account's. NotFoundError when it has none of that id."""
        await self._station.sessions.end(account_id, session_id)
        self._drop(lambda known: known.session == session_id)

    async def end_all(self, account_id: str, *, but: SignedIn | None = None) -> None:
        """The account's sessions; its API tokens go on."""
        await self._station.sessions.close_all(account_id, but_token=but.token if but else None)
        kept = but.session if but else ""
        self._drop_sessions(account_id, kept)

    async def end_token(self, account_id: str, token_id: str) -> None:
        """One API token of the account's. NotFoundError when it has none of that id."""
        await self._station.api_tokens.remove(account_id, token_id)
        self._drop(lambda known: known.session == token_id)

    async def change_password(self, who: SignedIn, old: str, new: str, origin: Origin) -> SignedIn:
        """Every other session of the account is over; this one gets a new token as well."""
        account = await self._station.accounts.change_password(who.id, old=old, new=new)
        self._drop_sessions(who.id)
        return await self.open(account, origin, second_factor=who.second_factor)

    async def reset_password(self, account_id: str) -> OneTime:
        """A one-time password; the account's sessions are over."""
        reset = await self._station.accounts.reset_password(account_id)
        self._drop_sessions(account_id)
        self.put_account(reset.account)
        return reset

    async def set_state(self, account_id: str, state: AccountState) -> Account:
        """Disabled: its sessions and API tokens are over."""
        account = await self._station.accounts.set_state(account_id, state)
        if state is AccountState.DISABLED:
            self._drop(lambda known: known.id == account_id)
        self.put_account(account)
        return account

    async def showed_second_factor(self, who: SignedIn) -> None:
        """One that was set up in this session: those that have not shown one are over."""
        await self._station.sessions.showed_second_factor(who.token)
        if not who.second_factor:
            await self.end_all(who.id, but=who)
        shown = replace(who, second_factor=True)
        self._change(lambda known: known.session == who.session, lambda _: shown)
        self.factors_changed(who.id)

    def factors_changed(self, account_id: str) -> None:
        """Its API tokens are looked up anew: what they may do can depend on a second factor."""
        self._drop(lambda known: known.id == account_id and known.token_scope is not None)

    def put_account(self, account: Account) -> None:
        """The database has changed it."""
        self._change(lambda known: known.id == account.id, lambda known: replace(known, account=account))

    async def run(self) -> None:
        """Look again and again whether what is remembered still holds; forget what is over."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await unbroken(self.check(), "web sessions: check")

    async def check(self) -> None:
        """Drop what the database no longer knows, and have it forget what is over."""
        await self.write_seen()
        now_us, kept = self._clock.now_us(), dict(self._known)
        await self._station.sessions.purge(now_us)
        await self._station.api_tokens.purge(now_us)
        open_ids = await self._station.sessions.ids() | await self._station.api_tokens.ids()
        accounts = {account.id: account for account in await self._station.accounts.list()}
        for name, one in kept.items():
            account = accounts.get(one.who.id)
            active = account is not None and account.state is AccountState.ACTIVE
            if not active or one.who.session not in open_ids:
                self._known.pop(name, None)
        for account in accounts.values():
            self.put_account(account)

    async def write_seen(self) -> None:
        """When each was last used, into the database."""
        late = [kept for kept in self._known.values() if kept.seen_us >= kept.written_us + SEEN_STEP_US]
        sessions = {kept.who.session: kept.seen_us for kept in late if kept.who.token_scope is None}
        tokens = {kept.who.session: kept.seen_us for kept in late if kept.who.token_scope is not None}
        for kept in late:
            kept.written_us = kept.seen_us
        if sessions:
            await self._station.sessions.seen(sessions)
        if tokens:
            await self._station.api_tokens.used(tokens)

    async def _load(self, token: str, now_us: int) -> SignedIn | None:
        station = self._station
        if token.startswith(PREFIX):
            held = await station.api_tokens.find(token, now_us=now_us)
            account = await self._active(held.account) if held else None
            if held is None or account is None:
                return None
            shown = bool(await station.factors.of_account(account.id))
            scope = TokenScope(frozenset(held.acts), held.places)
            return SignedIn(account, held.expires_us, "", token, held.id, shown, scope)
        found = await station.sessions.find(token, now_us=now_us)
        account = await self._active(found.account) if found else None
        if found is None or account is None:
            return None
        return SignedIn(account, found.expires_us, csrf_of(token), token, found.id, found.second_factor)

    async def _active(self, account_id: str) -> Account | None:
        try:
            account = await self._station.accounts.get(account_id)
        except NotFoundError:
            return None
        return account if account.state is AccountState.ACTIVE else None

    def _remember(self, who: SignedIn, seen_us: int) -> SignedIn:
        written_us = seen_us if who.token_scope is None else seen_us - SEEN_STEP_US
        self._known[hash_token(who.token)] = _Kept(who, seen_us, written_us)
        while len(self._known) > MAX_SESSIONS:
            self._known.popitem(last=False)
        return who

    def _drop_sessions(self, account_id: str, but: str = "") -> None:
        self._drop(lambda who: who.id == account_id and who.token_scope is None and who.session != but)

    def _drop(self, gone: Callable[[SignedIn], bool]) -> None:
        self._ends += 1
        for name in [name for name, kept in self._known.items() if gone(kept.who)]:
            del self._known[name]

    def _change(self, which: Callable[[SignedIn], bool], made: Callable[[SignedIn], SignedIn]) -> None:
        for kept in self._known.values():
            if which(kept.who):
                kept.who = made(kept.who)


def csrf_of(token: str) -> str:
    """What a page must send along: another site can make a browser send the cookie, not compute this."""
    return hmac.new(token.encode(), b"loa-csrf", hashlib.sha256).hexdigest()[:32]
