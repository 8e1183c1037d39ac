"""What comes in: each datagram is parsed, judged, counted, and only then may it sound.

    audio:  known session? -> replay window -> fresh? -> signature -> its slots
    start:  over? -> fresh? -> grant, class, level, territory, expiry -> signature -> a broadcast is known
    end:    known session? -> signature -> silent from its media time on

Laws: nothing unverified reaches a slot; every refusal is counted under its reason; a broadcast sounds only
after `arm`, which the owner calls when what must outlive a restart has been stored; an ended broadcast stays
ended; nothing that could have sounded before this process began sounds again.
Pure: takes bytes and network time, returns events. Owned by the core, whose timeline calls `take` and
`passed` as slots sound (player.Shelf).
"""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..errors import RefusedError
from ..trust.grants import parse_grant
from ..trust.keys import VerifyKey
from ..trust.replay import Freshness
from ..wire.messages import FRAME_US, Audio, AudioPart, End, EndReason, Start, StartFlags
from ..wire.rank import BroadcastClass
from .checks import Checked, Checks
from .mandate import Mandate
from .pen import Pen
from .report import Counters
from .selector import Active, Selector, slot_after, slot_of
from .stream import Stream

MAX_SESSIONS_EACH = 4
"""Sessions that air the same program at once: a node that was restarted, and the one before it."""

MAX_KNOWN = 64
"""Broadcasts known at once, tests included; one more is refused, unless it is an emergency
(of which the selector keeps no more than its own bound)."""


MAX_PAST = 16
"""Programs that are over, of which a datagram may still be under way: it is late, not unknown."""


@dataclass(frozen=True, slots=True)
class Began:
    """A broadcast was verified for the first time. It is heard from `arm` on; never, if `silent` (a test)."""

    active: Active
    silent: bool


@dataclass(frozen=True, slots=True)
class Flowed:
    """A new, verified datagram of these broadcasts; its last frame begins at `newest_us`."""

    broadcasts: frozenset[str]
    newest_us: int


@dataclass(frozen=True, slots=True)
class Ended:
    broadcast: str
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Lacking:
    """A start cannot be judged without this. `kind` and `digest` as in the control message `Want`."""

    kind: str
    digest: bytes


Event: TypeAlias = Began | Flowed | Ended | Lacking


@dataclass(slots=True)
class _Known:
    active: Active
    start: Start
    stream: Stream
    expires_us: int
    armed: bool = False

    @property
    def silent(self) -> bool:
        return StartFlags.TEST in self.start.flags


class Intake:
    """`born_us`: network time at which this process began, or the stored floor if that is later."""

    def __init__(
        self, mandate: Mandate, freshness: Freshness, checks: Checks, counters: Counters, born_us: int
    ) -> None:
        self._mandate, self._freshness, self._checks, self._counters = mandate, freshness, checks, counters
        self._born_us = born_us
        self._next_k = slot_after(born_us)
        self.selector = Selector()
        self._known: dict[str, _Known] = {}
        self._streams: dict[str, list[Stream]] = {}
        self._pen = Pen()
        self._past: deque[str] = deque(maxlen=MAX_PAST)

    def receive(self, data: bytes, now_us: int) -> Sequence[Event]:
        """One datagram, from anybody."""
        checked = self._checks.parse(data)
        if checked is None:
            self._counters.refused("malformed")
            return ()
        try:
            match checked.parsed.message:
                case Audio() as audio:
                    return self._audio(audio, checked, data, now_us)
                case Start() as start:
                    return self._start(start, checked, data, now_us)
                case End() as end:
                    return self._end(end, checked, data, now_us)
        except RefusedError as error:
            self._counters.refused(error.reason)
            return ()
        self._counters.refused("kind")
        return ()

    # --- what the owner decides

    def arm(self, broadcast: str) -> None:
        """Let it sound: what must outlive a restart has been stored."""
        known = self._known.get(broadcast)
        if known is None or known.silent:
            return
        known.armed = True
        evicted = self.selector.put(known.active)
        if evicted:
            self.forget(evicted.broadcast)

    def forget(self, broadcast: str) -> None:
        """It is over, or not for us any more."""
        self.selector.remove(broadcast)
        known = self._known.pop(broadcast, None)
        if known is None:
            return
        stream = known.stream
        stream.broadcasts.discard(broadcast)
        if not stream.broadcasts:
            rest = [other for other in self._streams.get(stream.program, ()) if other is not stream]
            if rest:
                self._streams[stream.program] = rest
            else:
                self._streams.pop(stream.program, None)
                self._past.append(stream.program)

    def released(self, kind: str, digest: bytes, now_us: int) -> Sequence[Event]:
        """What was lacking has come: judge the starts that waited for it."""
        return [event for data in self._pen.release((kind, digest)) for event in self.receive(data, now_us)]

    def replaced(self, now_us: int) -> None:
        """This speaker stands elsewhere, or other grants hold: what may not sound here any more is
        dropped."""
        self.selector.place(self._mandate.ancestry)
        for broadcast, known in tuple(self._known.items()):
            try:
                self._mandate.admit(known.start, now_us)
            except RefusedError as error:
                self._counters.refused(error.reason)
                self.forget(broadcast)

    def expire(self, now_us: int) -> None:
        """Forget what is over although no slot passed; called every second or so."""
        self._freshness.expire(now_us)
        self._counters.refused_each(self._pen.expire(now_us))
        for broadcast, known in tuple(self._known.items()):
            if known.expires_us <= now_us and (not known.armed or known.active.until_k <= self._next_k):
                self.forget(broadcast)

    # --- the timeline's shelf

    def take(self, broadcast: str, k: int) -> bytes | None:
        known = self._known.get(broadcast)
        return known.stream.buffer.take(k) if known else None

    def passed(self, k: int) -> None:
        self._next_k = k + 1
        for streams in self._streams.values():
            for stream in streams:
                stream.buffer.pass_to(k + 1)
        for active in self.selector.over(k + 1):
            self.forget(active.broadcast)

    # --- the three kinds

    def _audio(self, message: Audio, checked: Checked, data: bytes, now_us: int) -> Sequence[Event]:
        streams = self._streams.get(message.program)
        if streams is None and message.program in self._past:
            self._counters.add("late")
            return ()
        if streams is None:
            self._hold(message.program, data, now_us, "unknown")
            return ()
        sequence = message.audio.sequence
        waiting = [stream for stream in streams if stream.window.is_new(sequence)]
        if not waiting:
            self._counters.add("duplicate")
            return ()
        self._check_fresh(message.audio, now_us)
        for stream in waiting:
            if checked.signed_by(stream.key):
                return [self._store(stream, message.audio)]
        raise RefusedError("signature", f"program {message.program}: not signed by its session")

    def _start(self, start: Start, checked: Checked, data: bytes, now_us: int) -> Sequence[Event]:
        if self._freshness.is_ended(start.broadcast):
            raise RefusedError("ended", f"broadcast {start.broadcast}: it is over")
        self._check_fresh(start.audio, now_us)
        try:
            session = self._mandate.admit(start, now_us)
        except RefusedError as error:
            return self._lacking(start, error, data, now_us)
        if not checked.signed_by(session.subject):
            raise RefusedError("signature", f"broadcast {start.broadcast}: not signed by its session")
        known = self._known.get(start.broadcast)
        events: list[Event] = []
        if known is None:
            known = self._begin(start, min(start.expires_us, session.expires_us), session.subject, now_us)
            events.append(Began(known.active, known.silent))
        elif (known.stream.key, known.start.rank, known.start.flags) != (
            session.subject,
            start.rank,
            start.flags,
        ):
            raise RefusedError(
                "changed", f"broadcast {start.broadcast}: another session, rank or flags than before"
            )
        else:
            self._prolong(known, start, min(start.expires_us, session.expires_us))
        events += self._flow(known, start.audio)
        for waiting in self._pen.release(start.program):
            events += self.receive(waiting, now_us)
        return events

    def _flow(self, known: _Known, audio: AudioPart) -> Sequence[Event]:
        """The audio that came with a start. One without frames uses no sequence number."""
        self._sound_from(known, slot_of(audio.media_us))
        if not audio.frames:
            return ()
        if not known.stream.window.is_new(audio.sequence):
            self._counters.add("duplicate")
            return ()
        return [self._store(known.stream, audio)]

    def _end(self, end: End, checked: Checked, data: bytes, now_us: int) -> Sequence[Event]:
        if self._freshness.is_ended(end.broadcast):
            self._counters.add("duplicate")
            return ()
        known = self._known.get(end.broadcast)
        streams = [known.stream] if known else self._streams.get(end.program)
        if streams is None:
            self._hold(end.program, data, now_us, "unknown")
            return ()
        if not any(checked.signed_by(stream.key) for stream in streams):
            raise RefusedError("signature", f"end of {end.broadcast}: not signed by its session")
        self._freshness.end(end.broadcast, known.expires_us if known else now_us + _TOMBSTONE_US)
        if known is None:
            return ()
        self._change(known, until_k=min(slot_after(end.at_us), known.active.until_k))
        if not known.armed:
            self.forget(end.broadcast)
        return [Ended(end.broadcast, end.reason)]

    # --- parts of it

    def _begin(self, start: Start, expires_us: int, key: VerifyKey, now_us: int) -> _Known:
        alert = start.cls == BroadcastClass.EMERGENCY and StartFlags.TEST not in start.flags
        if len(self._known) >= MAX_KNOWN and not alert:
            raise RefusedError("full", f"start {start.broadcast}: {MAX_KNOWN} broadcasts are known already")
        streams = self._streams.get(start.program, [])
        stream = next((one for one in streams if one.key == key), None)
        if stream is None:
            if len(streams) >= MAX_SESSIONS_EACH:
                raise RefusedError("full", f"program {start.program}: {MAX_SESSIONS_EACH} sessions already")
            stream = Stream(start.program, key, self._next_k)
            self._streams[start.program] = [stream, *streams]
        stream.broadcasts.add(start.broadcast)
        self._freshness.acted(start.audio.media_us)
        active = Active(
            start.broadcast,
            start.program,
            start.rank,
            slot_of(start.audio.media_us),
            slot_after(expires_us),
            now_us,
        )
        known = self._known[start.broadcast] = _Known(active, start, stream, expires_us)
        return known

    def _prolong(self, known: _Known, start: Start, expires_us: int) -> None:
        """A later start may let it live longer, never shorter: that is what an end is for."""
        if expires_us > known.expires_us:
            known.start, known.expires_us = start, expires_us
            self._change(known, until_k=slot_after(expires_us))

    def _change(self, known: _Known, *, from_k: int | None = None, until_k: int | None = None) -> None:
        active = known.active
        known.active = replace(
            active,
            from_k=active.from_k if from_k is None else from_k,
            until_k=active.until_k if until_k is None else until_k,
        )
        if known.armed:
            self.selector.put(known.active)

    def _store(self, stream: Stream, audio: AudioPart) -> Flowed:
        stream.window.accept(audio.sequence)
        stream.store(audio, self._counters)
        newest_us = audio.media_us + (len(audio.frames) - 1) * FRAME_US
        self._freshness.acted(newest_us)
        for broadcast in stream.broadcasts:
            self._sound_from(self._known[broadcast], slot_of(audio.media_us))
        return Flowed(frozenset(stream.broadcasts), newest_us)

    def _sound_from(self, known: _Known, k: int) -> None:
        """Audio of it for an earlier slot than was known: re-ordered, or its first start was lost."""
        if slot_of(known.start.started_us) <= k < known.active.from_k:
            self._change(known, from_k=k)

    def _check_fresh(self, audio: AudioPart, now_us: int) -> None:
        self._freshness.check(audio.media_us, now_us)
        if audio.media_us < self._born_us:
            raise RefusedError("replay", f"media time {audio.media_us} us: before this speaker was started")

    def _lacking(self, start: Start, error: RefusedError, data: bytes, now_us: int) -> Sequence[Event]:
        """Ask for what it takes to judge this start, and keep it until then; or refuse it."""
        if error.reason == "targets" and isinstance(start.targets, bytes):
            lack = Lacking("targets", start.targets)
        elif error.reason == "issuer":
            lack = Lacking("chain", bytes.fromhex(parse_grant(start.grant).issuer))
        else:
            raise error
        self._hold((lack.kind, lack.digest), data, now_us, error.reason)
        return [lack]

    def _hold(self, key: Hashable, data: bytes, now_us: int, reason: str) -> None:
        self._counters.refused_each(self._pen.hold(key, data, now_us, reason))


_TOMBSTONE_US = 3_600_000_000
"""An end that came before its start: an hour, longer than a start of it can be under way."""
