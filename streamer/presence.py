"""Who is there, and what they say they have heard: the state of every speaker.

Laws: a command is no proof: a speaker counts as reached only when its own report says that it verified and
sounded the broadcast. Fed by the
control links (`LinkEvents`); asked by the API. Runs on the loop; never awaits.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from ..clock import Clock
from ..wire.report import Report

KEPT_BROADCASTS = 256
"""Who has sounded what is remembered for this many broadcasts, the latest; the play log keeps it for good."""


class Presence(Enum):
    """A speaker's link, as people see it."""

    NEVER = "never"
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Seat:
    """An enrolled speaker and where it is."""

    id: str
    place: str
    name: str


@dataclass(frozen=True, slots=True)
class SpeakerState:
    seat: Seat
    presence: Presence = Presence.NEVER
    via: str | None = None
    last_seen_us: int | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class SpeakerChanged:
    state: SpeakerState


@dataclass(frozen=True, slots=True)
class SpeakerReported:
    """`newly` are the broadcasts that this speaker is now known to have sounded."""

    state: SpeakerState
    newly: tuple[str, ...]


PresenceEvent = SpeakerChanged | SpeakerReported


class Roll:
    """The speakers of this node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, SpeakerState] = {}
        self._reached: OrderedDict[str, set[str]] = OrderedDict()
        self._listeners: list[Callable[[PresenceEvent], None]] = []

    @property
    def states(self) -> Mapping[str, SpeakerState]:
        return self._states

    def place_of(self, speaker_id: str) -> str | None:
        state = self._states.get(speaker_id)
        return state.seat.place if state else None

    def enrol(self, seat: Seat) -> None:
        """Add a speaker, or tell that it moved or was renamed."""
        known = self._states.get(seat.id)
        self._put(replace(known, seat=seat) if known else SpeakerState(seat))

    def remove(self, speaker_id: str) -> None:
        self._states.pop(speaker_id, None)

    def subscribe(self, listener: Callable[[PresenceEvent], None]) -> Callable[[], None]:
        """As `Air.subscribe`."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- what the links tell

    def linked(self, speaker_id: str) -> None:
        self._now(speaker_id, presence=Presence.ONLINE)

    def unlinked(self, speaker_id: str) -> None:
        self._now(speaker_id, presence=Presence.OFFLINE, via=None)

    def via(self, speaker_id: str, transport: str) -> None:
        self._now(speaker_id, via=transport)

    def reported(self, speaker_id: str, report: Report) -> None:
        state = self._states.get(speaker_id)
        if state is None:
            return
        state = replace(state, via=report.via or state.via, report=report, last_seen_us=self._clock.now_us())
        self._states[speaker_id] = state
        newly = tuple(heard.broadcast for heard in report.heard if self._count(heard.broadcast, speaker_id))
        self._emit(SpeakerReported(state, newly))

    def _count(self, broadcast_id: str, speaker_id: str) -> bool:
        reached = self._reached.setdefault(broadcast_id, set())
        if len(self._reached) > KEPT_BROADCASTS:
            self._reached.popitem(last=False)
        if speaker_id in reached:
            return False
        reached.add(speaker_id)
        return True

    def _now(self, speaker_id: str, *, presence: Presence | None = None, via: str | None = None) -> None:
        state = self._states.get(speaker_id)
        if state is not None:
            presence = presence or state.presence
            self._put(replace(state, presence=presence, via=via, last_seen_us=self._clock.now_us()))

    def _put(self, state: SpeakerState) -> None:
        self._states[state.seat.id] = state
        self._emit(SpeakerChanged(state))

    def _emit(self, event: PresenceEvent) -> None:
        for listener in list(self._listeners):
            listener(event)
