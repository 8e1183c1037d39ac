"""What a welcome speaker says on its control link, and the answers.

Laws: a message is answered at once or not at all; one that does not parse, has no business here or comes too
often ends its own link (ProtocolError, RefusedError "flood", raised to the handler); a kind of a later
version is answered with a problem and nothing else. State: one `Allowance` per link.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from ..clock import Clock
from ..errors import ProtocolError, RefusedError
from ..trust.keys import SigningKey
from ..trust.statements import time_reply_bytes
from ..wire.control import (
    MAX_UPLINK_BYTES,
    Problem,
    TimeAsk,
    TimeReply,
    UnknownKind,
    Via,
    Want,
    build_control,
    parse_control,
)
from ..wire.report import Report, Transport
from .dispatch import Dispatch
from .link import Link, binary_frame
from .outbox import Lane, Piece

MESSAGES_PER_S = 20
MESSAGES_BURST = 60
"""A speaker needs a report every few seconds and a handful of time questions; a time answer costs 50 us."""


class LinkEvents(Protocol):
    """Told on the loop, at once; must not block."""

    def linked(self, speaker_id: str) -> None: ...

    def unlinked(self, speaker_id: str) -> None: ...

    def via(self, speaker_id: str, transport: str) -> None: ...

    def reported(self, speaker_id: str, report: Report) -> None: ...


class Allowance:
    """A token bucket: `MESSAGES_BURST` at once, `MESSAGES_PER_S` for good."""

    __slots__ = ("_left", "_seen_us")

    def __init__(self, now_us: int) -> None:
        self._left = float(MESSAGES_BURST)
        self._seen_us = now_us

    def take(self, now_us: int) -> bool:
        earned = (now_us - self._seen_us) * MESSAGES_PER_S / 1_000_000
        self._left = min(MESSAGES_BURST, self._left + earned)
        self._seen_us = now_us
        if self._left < 1:
            return False
        self._left -= 1
        return True


class TimeKeeper:
    """Answers time questions, signed: whoever could shift a speaker's clock could replay to it."""

    def __init__(self, clock: Clock, key: Callable[[], SigningKey], clock_id: str) -> None:
        """`key`: the one that signs now; it may be rotated."""
        self._clock = clock
        self._key = key
        self._clock_id = clock_id

    def answer(self, t1: int, heard_us: int) -> TimeReply:
        key, t3 = self._key(), self._clock.now_us()
        signature = key.sign(time_reply_bytes(t1, heard_us, t3, self._clock_id))
        return TimeReply(t1, heard_us, t3, self._clock_id, signature, key.public.key_id)


class Uplink:
    def __init__(
        self,
        *,
        clock: Clock,
        time: TimeKeeper,
        events: LinkEvents,
        dispatch: Dispatch,
        counts: Counter[str],
        turn: Callable[[Link, Transport], None],
        wanted: Callable[[Want], Sequence[bytes]],
    ) -> None:
        """`turn`: the link wants its datagrams by another way. `wanted`: control messages that answer."""
        self._clock = clock
        self._time = time
        self._events = events
        self._dispatch = dispatch
        self._counts = counts
        self._turn = turn
        self._wanted = wanted

    def hear(self, link: Link, allowance: Allowance, data: bytes) -> None:
        now_us = self._clock.now_us()
        if not allowance.take(now_us):
            raise RefusedError("flood", f"more than {MESSAGES_PER_S} messages a second")
        match parse_control(data, MAX_UPLINK_BYTES):
            case TimeAsk(t1):
                self._say(link, build_control(self._time.answer(t1, now_us)), perishable=True)
            case Report() as report:
                link.report = report
                self._events.reported(link.speaker, report)
            case Via(transport):
                self._turn(link, transport)
            case Want() as want:
                self._give(link, want)
            case UnknownKind(kind):
                self._counts["unknown_kind"] += 1
                self._problem(link, f"unknown kind {kind!r}", "a kind of the version agreed on")
            case other:
                raise ProtocolError(f"{type(other).__name__} is not for a speaker to send")

    def _give(self, link: Link, want: Want) -> None:
        answers = self._wanted(want)
        if not answers:
            self._counts["wanted_unknown"] += 1
            self._problem(link, f"{want.kind} {want.hash.hex()} is not known", "the hash of a list in use")
        for answer in answers:
            self._say(link, answer)

    def _problem(self, link: Link, what: str, expected: str) -> None:
        self._say(link, build_control(Problem(what, "speaker/link", expected)))

    def _say(self, link: Link, message: bytes, *, perishable: bool = False) -> None:
        piece = Piece(binary_frame(message), Lane.CONTROL, self._clock.now_us(), perishable)
        self._dispatch.write(piece, link)
