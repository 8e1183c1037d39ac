"""How the house looks from outside: the values of the rooms below, put together as the bodies of the API.

Laws: it only reads, and only from memory (what has ended long ago comes as the station's record); each method
makes one body, cheaply, so that whoever lists thousands can breathe in between. Used on the loop only.
"""

from collections.abc import Callable, Sequence

from ..codecs.tones import Chime
from ..station.broadcast import Broadcast
from ..station.content import TEXT
from ..station.place import Place
from ..station.programs import Program
from ..station.speaker import Speaker
from ..station.speaker import SpeakerState as Admission
from ..streamer.air import Air
from ..streamer.broadcast import OnAir
from ..streamer.presence import Presence, Roll
from ..streamer.presence import SpeakerState as Standing
from ..streamer.territory import Territory
from ..trust.keys import VerifyKey
from ..wire.report import SILENCE_DBFS, State
from .air_models import BroadcastOut, BroadcastReach, Missing, ProgramOut, SourceOut
from .census import Census
from .directory import Directory
from .ledger import Ledger, class_name, severity_name
from .live_models import PlaceLive, SpeakerLive
from .model import (
    BroadcastState,
    OriginName,
    Problem,
    ProgramState,
    ResumeRule,
    SpeakerState,
    ViaName,
    moment,
)
from .reach_book import ReachBook
from .reach_line import ReachLine
from .scope import Scope, size
from .territory_models import PlaceOut, Playing, ReachOut, SpeakerOut

MISSING_SHOWN = 50
"""Names that fit a screen; the count is exact."""


class View:
    """See the module."""

    def __init__(
        self,
        air: Air,
        roll: Roll,
        directory: Directory,
        census: Census,
        ledger: Ledger,
        reach_book: ReachBook,
        progress: Callable[[str], float | None],
    ) -> None:
        self._air, self._roll, self._directory = air, roll, directory
        self._census, self._ledger, self._reach_book = census, ledger, reach_book
        self._progress = progress

    # --- the territory

    def place(self, place: Place) -> PlaceOut:
        count = self._census.of((place.id,))
        return PlaceOut(
            id=place.id,
            parent=place.parent,
            name=place.name,
            slug=place.slug,
            kind=place.kind,
            path=place.path,
            depth=place.depth,
            position=place.position,
            latency_ms=place.latency_ms,
            profile=place.profile,
            speakers=count.speakers,
            online=count.online,
            faulty=count.faulty,
            playing=self.playing_at(place.id),
            in_scope=True,
        )

    def place_above(self, place: Place) -> PlaceOut:
        """One above what somebody may see: where it is and what it is called."""
        return PlaceOut(
            id=place.id,
            parent=place.parent,
            name=place.name,
            slug=place.slug,
            kind=place.kind,
            path=place.path,
            depth=place.depth,
            position=place.position,
            latency_ms=None,
            profile=None,
            speakers=0,
            online=0,
            faulty=0,
            playing=None,
            in_scope=False,
        )

    def place_live(self, place_id: str) -> PlaceLive:
        count = self._census.of((place_id,))
        return PlaceLive(
            id=place_id,
            speakers=count.speakers,
            online=count.online,
            faulty=count.faulty,
            playing=self.playing_at(place_id),
        )

    def playing_at(self, place_id: str) -> Playing | None:
        """What a speaker at this very place plays."""
        program = self._air.program_at(place_id)
        return self._ledger.playing(program.id) if program else None

    def reach_preview(self, targets: Sequence[str]) -> ReachOut:
        count = self._census.of(targets)
        return ReachOut(speakers=count.speakers, online=count.online, places=count.places)

    def speaker(self, speaker: Speaker) -> SpeakerOut:
        live = self.speaker_live(speaker)
        return SpeakerOut(
            serial=speaker.serial,
            software=speaker.software,
            key=key_shown(speaker.public_key),
            notes=speaker.notes,
            lat=speaker.lat,
            lon=speaker.lon,
            enrolled_at=moment(speaker.enrolled_at_us),
            **live.model_dump(),
        )

    def speaker_live(self, speaker: Speaker) -> SpeakerLive:
        standing = self._roll.states.get(speaker.id)
        report = standing.report if standing else None
        online = standing is not None and standing.presence is Presence.ONLINE
        seen_us = (standing.last_seen_us if standing else None) or speaker.last_seen_us
        loud = report is not None and report.level_dbfs > SILENCE_DBFS
        return SpeakerLive(
            id=speaker.id,
            place=speaker.place,
            name=speaker.name,
            state=speaker_state(standing, speaker),
            via=ViaName(standing.via) if standing and standing.via else None,
            playing=self._ledger.playing(report.broadcast or "") if report and online else None,
            level_dbfs=round(report.level_dbfs, 1) if report and online and loud else None,
            delay_ms=report.delay_ms if report and online else None,
            last_seen=moment(seen_us) if seen_us else None,
        )

    # --- the air

    def broadcast(self, on_air: OnAir) -> BroadcastOut:
        """One that is on air, waits for its microphone, or has ended lately."""
        record = self._ledger.of(on_air)
        return self._broadcast(record, on_air.started_us, self.reach(record.id)).model_copy(
            update={
                "state": BroadcastState(on_air.state.value),
                "places": on_air.places,
                "winning_places": on_air.winning,
                "heard": on_air.heard,
                "ended_at": moment(on_air.ended_us) if on_air.ended_us else None,
                "reason": on_air.reason.name.lower() if on_air.reason else None,
            }
        )

    def past(self, record: Broadcast, reach: BroadcastReach) -> BroadcastOut:
        """One that the database remembers."""
        return self._broadcast(record, record.started_us, reach)

    def _broadcast(self, record: Broadcast, started_us: int, reach: BroadcastReach) -> BroadcastOut:
        return BroadcastOut(
            id=record.id,
            title=record.title,
            cls=class_name(record.cls),
            severity=severity_name(record.cls, record.severity),
            origin=OriginName(record.origin.name.lower()),
            drill=record.drill,
            all_clear=record.chime == Chime.ALL_CLEAR.value,
            source=_source(record),
            targets=list(record.targets),
            at=record.issuer_place,
            issuer=self._directory.account_name(record.issuer_account),
            resume=ResumeRule(record.resume),
            state=BroadcastState.ENDED,
            started_at=moment(started_us) if started_us else None,
            expires=moment(record.expires_us),
            ended_at=moment(record.ended_us) if record.ended_us else None,
            reason=record.reason,
            places=self._census.of(record.targets).places,
            winning_places=0,
            reach=reach,
        )

    def reach(self, broadcast_id: str) -> BroadcastReach:
        """As far as speakers have reported; exact for what is on air or ended lately."""
        missing = self._reach_book.missing(broadcast_id)
        ordered = len(self._reach_book.ordered(broadcast_id))
        known = self._directory.speakers
        shown = [known[name] for name in sorted(missing)[:MISSING_SHOWN] if name in known]
        return BroadcastReach(
            ordered=ordered,
            reached=ordered - len(missing),
            missing=[self.missing(s.id, s.name, s.place) for s in shown],
            missing_count=len(missing),
        )

    def within(self, whole: BroadcastOut, scope: Scope, line: ReachLine) -> BroadcastOut:
        """What of a broadcast of these hours is told to who may know only a part of where it sounds."""
        at_hand = scope.territory is self._air.territory
        winning = tuple(self._air.winning_slices(whole.id)) if at_hand else ()
        return self.narrowed(whole, scope).model_copy(
            update={
                "winning_places": size(scope.meets(winning)),
                "reach": self.reach_within(line, whole.targets, scope),
            }
        )

    def narrowed(self, whole: BroadcastOut, scope: Scope) -> BroadcastOut:
        """Without the targets and the recording that a scope does not know; the reach is still all of it."""
        program = self._directory.programs.get(whole.source.program or "")
        kept = whole.source.program if program and scope.knows(program.place) else None
        source = whole.source.model_copy(update={"program": kept, "radio": None, "push": None})
        return whole.model_copy(
            update={
                "targets": [target for target in whole.targets if scope.knows(target)],
                "source": source,
                "places": size(scope.part(whole.targets)),
            }
        )

    def reach_line(self, broadcast_id: str, territory: Territory) -> ReachLine:
        """For `reach_within`: made once, however many scopes are to be told."""
        known, book = self._directory.speakers, self._reach_book
        ordered = [known[name] for name in book.ordered(broadcast_id) if name in known]
        return ReachLine(territory, ordered, book.missing(broadcast_id))

    def reach_within(self, line: ReachLine, targets: Sequence[str], scope: Scope) -> BroadcastReach:
        """As `reach`, of the speakers in a scope."""
        found = line.part(scope.part(targets), MISSING_SHOWN)
        known = self._directory.speakers
        shown = [known[name] for name in found.missing if name in known]
        return BroadcastReach(
            ordered=found.ordered,
            reached=found.ordered - found.missing_count,
            missing=[self.missing(s.id, s.name, s.place) for s in shown],
            missing_count=found.missing_count,
        )

    def missing(self, speaker_id: str, name: str, place_id: str) -> Missing:
        place = self._directory.places.get(place_id)
        return Missing(id=speaker_id, name=name, place=place_id, place_name=place.name if place else "")

    # --- what is stored

    def program(self, program: Program) -> ProgramOut:
        found, progress = program.measured, self._progress(program.id)
        return ProgramOut(
            id=program.id,
            place=program.place,
            title=program.title,
            kind=program.kind,
            state=ProgramState(program.state.value),
            progress=None if progress is None else round(progress * 100, 1),
            duration_s=found.duration_s if found else None,
            loudness_lufs=found.loudness_lufs if found else None,
            peaks=list(found.peaks) if found else [],
            error=_problem_of(program),
            created_at=moment(program.created_us),
        )


def _source(record: Broadcast) -> SourceOut:
    again = record.source == "loop"
    kind = "file" if again else record.source
    which = kind if kind in ("radio", "push") else "program"
    return SourceOut.model_validate({"kind": kind, "program": None, "repeat": again, which: record.program})


def speaker_state(standing: Standing | None, speaker: Speaker) -> SpeakerState:
    """Not let in; linked and able to sound; linked and not; gone; never there since it was enrolled."""
    if speaker.state is not Admission.ACTIVE:
        return SpeakerState(speaker.state.value)
    if standing is None or standing.presence is not Presence.ONLINE:
        seen = speaker.last_seen_us or (standing and standing.last_seen_us)
        return SpeakerState.OFFLINE if seen else SpeakerState.NEVER
    broken = standing.report is not None and standing.report.state is State.FAULT
    return SpeakerState.FAULT if broken else SpeakerState.ONLINE


def key_shown(public_key: str) -> str:
    """The first 8 digits of its id in two groups, as the device shows them to whoever stands beside it."""
    key_id = VerifyKey(bytes.fromhex(public_key)).key_id
    return f"{key_id[:4]} {key_id[4:8]}"


def _problem_of(program: Program) -> Problem | None:
    if program.error is None:
        return None
    if program.kind == TEXT:
        return Problem(what=program.error, where=TEXT, expected="a text that its voices can read out")
    return Problem(what=program.error, where="file", expected="sound in any usual format")
