"""The server's side of the speakers' control links: `/speaker/link`, a WebSocket that speaks MessagePack.

challenge -> hello -> welcome, then the starts that are on air there, then both sides talk until one leaves
(docs/protocol.md). Datagrams travel on it as they are: their first byte never begins a MessagePack map.

Laws: one link per speaker, the latest with the right key; a speaker hears from the moment it is welcome,
with nothing missing and nothing twice between the greeting and what follows; what a link does wrong ends that
link, is told to it, and counted; nobody is waited for (`link`, `dispatch`).
Owned by the composition root, which mounts `handler`, runs `run` in its task group, and ends with `close`.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web

from ..clock import Clock
from ..errors import ProtocolError, RefusedError
from ..trust.keys import SigningKey
from ..trust.statements import Statement
from ..wire.control import (
    MAX_UPLINK_BYTES,
    NONCE_BYTES,
    TOKEN_BYTES,
    Bye,
    Challenge,
    Placed,
    Problem,
    Want,
    Welcome,
    build_control,
    parse_control,
)
from ..wire.report import Report, Transport
from .admission import RETRY_S, Enrolled, Roster, admit
from .dispatch import Dispatch
from .link import Link, LinkState, binary_frame, prepare_transport
from .outbox import Lane, Piece
from .register import Register
from .territory import Territory
from .uplink import Allowance, LinkEvents, TimeKeeper, Uplink

HELLO_S = 5.0
"""From the request to a valid hello."""

FAREWELL_S = 1.0
"""How long the other side may take to answer our close."""

MOST_WAITING = 10_000
"""Connections that have not said hello yet; beyond that new ones get 503. Twice the speakers of an edge."""

AT_THE_DOOR = 4
"""Steps of handshakes in one turn of the loop: about 1 ms. Thousands that come back at once queue here, and
what is on air goes on between them (each holds the door over one turn, so the next ones must wait)."""

Slices = Sequence[tuple[int, int]]


def _nothing_wanted(_want: Want) -> Sequence[bytes]:
    return ()


def _nothing_to_add(_speaker: str, _place: str) -> Sequence[bytes]:
    return ()


def _nobody_asks(_request: web.Request) -> None: ...


class Links:
    def __init__(
        self,
        *,
        clock: Clock,
        node_key: Callable[[], SigningKey],
        node_id: str,
        grants: Callable[[], Sequence[str]],
        clock_id: str,
        roster: Roster,
        events: LinkEvents,
        udp: Callable[[], list[tuple[str, int]]],
        greeting: Callable[[str], list[bytes]],
        wanted: Callable[[Want], Sequence[bytes]] = _nothing_wanted,
        after_welcome: Callable[[str, str], Sequence[bytes]] = _nothing_to_add,
        known: Callable[[web.Request], None] = _nobody_asks,
        report_s: float = 5.0,
        hello_s: float = HELLO_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`node_key`, `grants`: as they are now, for they are rotated. `udp`: edges to attach to, best first.
        `greeting`: the datagrams of the starts now active at a place. `wanted`: control messages that answer
        a `Want`, none if it is unknown. `after_welcome`: those that a speaker at a place is told first.
        `known`: is shown the request of each speaker that has proved who it is.
        """
        self.counts: Counter[str] = Counter()
        """What happened since the start: linked, replaced, refused_..., dropped_..., cut_slow, ..."""
        self._clock = clock
        self._node_id = node_id
        self._grants = grants
        self._after_welcome = after_welcome
        self._known = known
        self._clock_id = clock_id
        self._roster = roster
        self._events = events
        self._udp = udp
        self._greeting = greeting
        self._report_s = max(1, round(report_s))
        self._hello_s = hello_s
        self._most_waiting = most_waiting
        self._register = Register()
        self._door = asyncio.Semaphore(AT_THE_DOOR)
        self._waiting: set[asyncio.Timeout] = set()
        self._handlers = 0
        self._no_handlers = asyncio.Event()
        self._closed = False
        self._dispatch = Dispatch(clock, self.counts)
        self._uplink = Uplink(
            clock=clock,
            time=TimeKeeper(clock, node_key, clock_id),
            events=events,
            dispatch=self._dispatch,
            counts=self.counts,
            turn=self._turn_to,
            wanted=wanted,
        )

    # --- who is there

    def count(self) -> int:
        return len(self._register)

    def online(self, speaker_id: str) -> bool:
        return self._register.find(speaker_id) is not None

    def via(self, speaker_id: str) -> str | None:
        """ "udp" or "ws"; None without a link."""
        link = self._register.find(speaker_id)
        return link.via.value if link else None

    def last_report(self, speaker_id: str) -> Report | None:
        link = self._register.find(speaker_id)
        return link.report if link else None

    def token_owner(self, token: bytes) -> str | None:
        """Whose link this token was given to, while that link lives."""
        return self._register.owner(token)

    # --- sending

    async def run(self) -> None:
        """Write what is sent, until cancelled."""
        await self._dispatch.run()

    def send(self, slices: Slices, data: bytes, *, everyone: bool, urgent: bool) -> int:
        """Hand a datagram to the links at the places of `slices`; returns to how many. Never waits.

        `everyone`: starts, ends; they are never dropped. Otherwise it is audio, for those who do not listen
        by UDP, and is dropped when it is too old. What is urgent overtakes all that is not.
        """
        rows = self._register.everyone if everyone else self._register.by_socket
        lane = Lane.URGENT if urgent else Lane.CONTROL if everyone else Lane.AUDIO
        return self._post(rows.between(slices), lane, data, perishable=not everyone)

    def backlog(self) -> int:
        """How many datagrams and messages are not yet written to all their links."""
        return len(self._dispatch)

    def broadcast_control(self, slices: Slices, message: bytes, *, urgent: bool = False) -> int:
        """Hand a control message to all links at the places of `slices`.

        What a start refers to must be sent with the same urgency before it, or the start overtakes it.
        """
        lane = Lane.URGENT if urgent else Lane.CONTROL
        return self._post(self._register.everyone.between(slices), lane, message, perishable=False)

    def tell_all(self, message: bytes, *, urgent: bool = False) -> int:
        """Hand a control message to every link, wherever it stands."""
        lane = Lane.URGENT if urgent else Lane.CONTROL
        return self._post(list(self._register), lane, message, perishable=False)

    def tell(self, speaker_id: str, message: bytes) -> None:
        """Hand a control message to one speaker, if it is linked."""
        link = self._register.find(speaker_id)
        if link is not None:
            self._say(link, message)

    def place(self, speaker_id: str, placement: Statement) -> None:
        """The speaker has a new placement: tell it, and what is on air there, if it is linked."""
        link = self._register.find(speaker_id)
        if link is None:
            return
        enrolled = self._roster.find(speaker_id)
        if enrolled is None or enrolled.barred:
            self.drop(speaker_id, enrolled.barred if enrolled else "revoked")
            return
        self._register.move(link, enrolled.place)
        self._say(link, build_control(Placed(placement)))
        self._greet(link)

    def retarget(self, territory: Territory) -> None:
        """Move all links to a new line. Speakers that moved need a new placement as well (`place`)."""
        self._register.retarget(territory)

    # --- ending

    def drop(self, speaker_id: str, reason: str) -> None:
        """End its link, if it has one, and say why: a key of `RETRY_S`, or other words."""
        link = self._register.find(speaker_id)
        if link is not None:
            self.counts["dropped_link"] += 1
            self._dismiss(link, reason)

    async def close(self) -> None:
        """Refuse new links, say goodbye to all, and wait until their handlers have ended."""
        self._closed = True
        now_s = asyncio.get_running_loop().time()
        for scope in self._waiting:
            scope.reschedule(now_s)
        for link in list(self._register):
            self._dismiss(link, "restart")
        if self._handlers:
            await self._no_handlers.wait()

    # --- one link

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """The route `GET /speaker/link`."""
        if self._closed or len(self._waiting) >= self._most_waiting:
            self.counts["refused_busy"] += 1
            raise web.HTTPServiceUnavailable(
                text="too many links are being opened, or the server is stopping; try again",
                headers={"Retry-After": "5"},
            )
        ws = web.WebSocketResponse(compress=False, max_msg_size=MAX_UPLINK_BYTES, timeout=FAREWELL_S)
        self._handlers += 1
        self._no_handlers.clear()
        try:
            await self._converse(request, ws)
        finally:
            self._handlers -= 1
            if not self._handlers:
                self._no_handlers.set()
        return ws

    async def _converse(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        """From the upgrade to the last word; every way out is named here."""
        link: Link | None = None
        try:
            link = await self._open(request, ws)
            if link is not None:
                await self._listen(link, ws)
        except TimeoutError:
            await self._part(ws, link.farewell if link else "restart" if self._closed else "timeout")
        except ProtocolError as error:
            await self._part(ws, "protocol", str(error))
        except RefusedError as error:
            await self._part(ws, error.reason, str(error))
        except ConnectionError:
            self.counts["lost"] += 1
        if request.transport is not None:
            request.transport.abort()

    async def _open(self, request: web.Request, ws: web.WebSocketResponse) -> Link | None:
        """Upgrade, challenge, hello, welcome; None if the other side left before."""
        challenge = Challenge(secrets.token_bytes(NONCE_BYTES), self._node_id)
        async with asyncio.timeout(self._hello_s) as scope:
            self._waiting.add(scope)
            try:
                async with self._door:
                    await asyncio.sleep(0)
                    await ws.prepare(request)
                    await ws.send_bytes(build_control(challenge))
                answer = await _receive(ws)
            finally:
                self._waiting.discard(scope)
        if answer is None:
            return None
        async with self._door:
            await asyncio.sleep(0)
            enrolled, version = admit(parse_control(answer, MAX_UPLINK_BYTES), challenge, self._roster)
            self._known(request)
            return self._welcome(request, enrolled, version)

    def _welcome(self, request: web.Request, enrolled: Enrolled, version: int) -> Link:
        """In one go, so that no datagram falls between the greeting and the rows."""
        if self._closed:
            raise RefusedError("restart", "the server is stopping")
        transport = request.transport
        if transport is None:
            raise ConnectionResetError(f"speaker {enrolled.id} left in the middle of its hello")
        older = self._register.find(enrolled.id)
        if older is not None:
            self.counts["replaced"] += 1
            self._dismiss(older, "replaced")
        prepare_transport(transport)
        token = secrets.token_bytes(TOKEN_BYTES)
        link = Link(enrolled.id, enrolled.place, token, transport, request.protocol, self.counts)
        udp = tuple(self._udp())
        grants = tuple(self._grants())
        welcome = Welcome(version, enrolled.placement, grants, udp, token, self._clock_id, self._report_s)
        self._say(link, build_control(welcome))
        for message in self._after_welcome(link.speaker, link.place):
            self._say(link, message)
        self._greet(link)
        self._register.enter(link)
        self.counts["linked"] += 1
        self._events.linked(link.speaker)
        return link

    async def _listen(self, link: Link, ws: web.WebSocketResponse) -> None:
        """Until the speaker leaves, misbehaves or is dismissed (TimeoutError); then off the list at once."""
        allowance = Allowance(self._clock.now_us())
        try:
            async with asyncio.timeout(None) as link.scope:
                while (data := await _receive(ws)) is not None:
                    self._uplink.hear(link, allowance, data)
        finally:
            self._leave(link)

    async def _part(self, ws: web.WebSocketResponse, reason: str, problem: str = "") -> None:
        """The last words to one that still listens: what was wrong, when to come back."""
        self.counts[f"ended_{reason}" if reason in RETRY_S else "ended_other"] += 1
        if not ws.prepared or ws.closed:
            return
        try:
            async with asyncio.timeout(2 * FAREWELL_S):
                if problem:
                    await ws.send_bytes(
                        build_control(Problem(problem, "speaker/link", "see docs/protocol.md"))
                    )
                await ws.send_bytes(build_control(Bye(reason, RETRY_S.get(reason, 60))))
                code = WSCloseCode.POLICY_VIOLATION if problem else WSCloseCode.GOING_AWAY
                await ws.close(code=code, message=reason.encode()[:120])
        except (TimeoutError, ConnectionError):
            self.counts["lost"] += 1

    def _dismiss(self, link: Link, reason: str) -> None:
        link.leave(reason)
        self._leave(link)

    def _leave(self, link: Link) -> None:
        if self._register.remove(link):
            link.state = LinkState.CUT
            self._dispatch.forget(link)
            self._events.unlinked(link.speaker)

    def _turn_to(self, link: Link, transport: Transport) -> None:
        self._register.turn(link, transport)
        self._events.via(link.speaker, transport.value)

    def _greet(self, link: Link) -> None:
        for datagram in self._greeting(link.place):
            self._dispatch.write(self._piece(Lane.URGENT, datagram), link)

    def _say(self, link: Link, message: bytes) -> None:
        self._dispatch.write(self._piece(Lane.CONTROL, message), link)

    def _post(self, links: Sequence[Link], lane: Lane, data: bytes, *, perishable: bool) -> int:
        self._dispatch.send(self._piece(lane, data, perishable=perishable), links)
        return len(links)

    def _piece(self, lane: Lane, data: bytes, *, perishable: bool = False) -> Piece:
        return Piece(binary_frame(data), lane, self._clock.now_us(), perishable)


async def _receive(ws: web.WebSocketResponse) -> bytes | None:
    """The next binary message; None when the other side is gone."""
    message = await ws.receive()
    match message.type:
        case WSMsgType.BINARY:
            return cast(bytes, message.data)
        case WSMsgType.TEXT:
            raise ProtocolError("a text message, expected binary MessagePack")
        case WSMsgType.ERROR if isinstance(message.data, WebSocketError):
            raise ProtocolError(str(message.data))
    return None
