"""Who is on air where, and what comes back when it ends: the resume rules of DESIGN.md sections 5 and 6."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from loa.clock import VirtualClock
from loa.codecs.frame import FRAME_US
from loa.codecs.marks import drill_mark
from loa.codecs.tones import Chime, encoded
from loa.errors import ConflictError, NotFoundError, OperatorError
from loa.streamer.air import CALL_IN_US, Air
from loa.streamer.broadcast import (
    AirEvent,
    BroadcastChanged,
    BroadcastEnded,
    FileSource,
    LevelHeard,
    MicSource,
    OnAir,
    Order,
    Overridden,
    RadioSource,
    Resume,
    Source,
    State,
    ToneSource,
)
from loa.streamer.fanout import Parcel, Slice
from loa.streamer.feed import LiveFeed, LiveKinds
from loa.streamer.microphone import MicrophoneSource
from loa.streamer.territory import Place, Territory
from loa.trust.keys import VerifyKey
from loa.wire.datagram import Audio, EndReason, Start, parse_datagram
from loa.wire.rank import BroadcastClass, Origin, Severity

PROVINCE, NORTH, SOUTH, HAMLET = (f"{n:016x}" for n in range(1, 5))
ORDINARY, PRIORITY, EMERGENCY = BroadcastClass
RADIO = RadioSource("a" * 16, ("http://radio.test/live",), "Đài")


class Recording:
    """A clip of numbered packets."""

    def __init__(self, frames: int = 500) -> None:
        self.frames, self.mp3_frames = frames, frames * 20 // 24

    def opus(self, index: int) -> bytes:
        return b"file %4d" % index

    def mp3(self, index: int) -> bytes:
        return b"mp3 %4d" % index


class Ears:
    """An egress that remembers what each place was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Parcel, bool]] = []
        self.told: list[tuple[Parcel, bool]] = []
        self.lists: list[Sequence[str]] = []
        self.controls: list[bytes] = []

    def send(self, parcels: Sequence[Parcel], *, urgent: bool) -> None:
        self.sent += [(parcel, urgent) for parcel in parcels]

    def tell(self, parcel: Parcel, *, urgent: bool) -> None:
        self.told.append((parcel, urgent))

    def control(self, slices: Sequence[tuple[int, int]], message: bytes) -> None:
        self.controls.append(message)

    def list_targets(self, slices: Sequence[Slice], targets: Sequence[str], *, urgent: bool) -> None:
        self.lists.append(targets)

    def frames_at(self, index: int) -> dict[int, tuple[str, bytes]]:
        """What a place was sent for each frame of the grid: (program, packet); the latest sent wins."""
        heard: dict[int, tuple[str, bytes]] = {}
        for parcel, _ in self.sent:
            message = parse_datagram(parcel.data).message
            if any(a <= index < b for a, b in parcel.slices) and isinstance(message, Start | Audio):
                k = message.audio.media_us // FRAME_US
                heard |= {k + i: (message.program, frame) for i, frame in enumerate(message.audio.frames)}
        return heard


class Mint:
    def session(self, key: VerifyKey, order: Order, level: int) -> str:
        return "x" * 530

    def priority_order(self, place_id: str, broadcasts: Sequence[str]) -> bytes:
        return b"order"


class World:
    def __init__(self, packing: int = 3) -> None:
        self.clock = VirtualClock()
        self.ears = Ears()
        self.events: list[AirEvent] = []
        self.microphones: list[MicrophoneSource] = []
        self.air = Air(
            self.clock,
            territory(),
            mint=Mint(),
            egress=self.ears,
            feeds=self._feed,
            packing=packing,
        )
        self.air.subscribe(self.events.append)
        self._n = 0x100

    def _feed(self, source: Source) -> LiveFeed | None:
        if not isinstance(source, LiveKinds):
            return None
        self.microphones.append(MicrophoneSource())
        return self.microphones[-1]

    @property
    def k(self) -> int:
        return self.clock.now_us() // FRAME_US

    def order(self, source: Source, *targets: str, cls: BroadcastClass = ORDINARY, **more: object) -> Order:
        self._n += 1
        values: dict[str, object] = {"chime": None, "expires_us": self.clock.now_us() + 10**9} | more
        return Order(
            id=f"{self._n:016x}",
            program_id=f"{self._n << 16:016x}",
            title="Bản tin sáng",
            targets=targets,
            cls=cls,
            issuer_place=targets[0] if targets else PROVINCE,
            source=source,
            **values,  # type: ignore[arg-type]
        )

    def start(self, source: Source, *targets: str, cls: BroadcastClass = ORDINARY, **more: object) -> OnAir:
        return self.air.start(self.order(source, *targets, cls=cls, **more))

    def run(self, frames: int, each: Callable[[], None] = lambda: None) -> None:
        for _ in range(frames):
            self.clock.advance(FRAME_US)
            each()
            for volley in self.air.tick(self.k):
                self.ears.send(volley.parcels, urgent=volley.urgent)

    def speak(self) -> None:
        for microphone in self.microphones:
            microphone.push(np.full(960, 1000, np.int16), self.clock.now_us())

    def playing(self, place: str) -> str | None:
        found = self.air.playing_at(place)
        return found.order.id if found else None


def territory() -> Territory:
    return Territory(
        [
            Place(PROVINCE, None, "Đồng Tháp", "dong-thap", "province", 0),
            Place(NORTH, PROVINCE, "Xã Bắc", "bac", "commune", 0),
            Place(HAMLET, NORTH, "Ấp Một", "ap-1", "hamlet", 0),
            Place(SOUTH, PROVINCE, "Xã Nam", "nam", "commune", 1),
        ]
    )


def test_a_file_sounds_at_its_targets_and_nowhere_else() -> None:
    world = World()
    on = world.start(FileSource(Recording()), NORTH)
    first = world.k + 1
    assert world.ears.sent, "the first datagram goes out with the order, not at the next tick"
    world.run(20)
    index = world.air.territory.index
    for place in (NORTH, HAMLET):
        heard = world.ears.frames_at(index(place))
        assert [heard[first + i] for i in range(20)] == [
            (on.order.program_id, b"file %4d" % i) for i in range(20)
        ]
    for place in (PROVINCE, SOUTH):
        assert world.ears.frames_at(index(place)) == {}
        assert world.playing(place) is None


def test_the_first_three_datagrams_and_one_a_second_are_starts() -> None:
    world = World()
    world.start(FileSource(Recording()), NORTH)
    world.run(120)
    kinds = [type(parse_datagram(parcel.data).message) for parcel, _ in world.ears.sent]
    assert kinds[:4] == [Start, Start, Start, Audio]
    assert kinds.count(Start) == 3 + 2


def test_an_emergency_cuts_through_and_a_recording_goes_on_where_it_was_cut() -> None:
    world = World()
    file = world.start(FileSource(Recording()), NORTH)
    world.run(50)
    alert = world.start(ToneSource(), PROVINCE, cls=EMERGENCY, chime=Chime.WARNING, severity=Severity.EXTREME)
    cut = world.k + 1
    assert world.ears.sent[-1][1], "urgent"
    assert world.air.get(file.order.id).state is State.PAUSED
    assert {world.playing(place) for place in (PROVINCE, NORTH, HAMLET, SOUTH)} == {alert.order.id}
    world.run(40)
    world.air.stop(alert.order.id)
    back = world.k + 1
    world.run(10)
    heard = world.ears.frames_at(world.air.territory.index(HAMLET))
    warning = encoded(Chime.WARNING)
    assert heard[cut - 1] == (file.order.program_id, b"file %4d" % 49)
    assert heard[cut] == (alert.order.program_id, warning.opus(0))
    assert heard[back - 1] == (alert.order.program_id, warning.opus(back - 1 - cut))
    assert heard[back] == (file.order.program_id, b"file %4d" % 50), "nothing skipped, nothing repeated"
    assert world.playing(SOUTH) is None


@pytest.mark.parametrize("what", ["tone", "file", "microphone"])
def test_a_drill_says_that_it_is_one_before_all_else_and_at_its_end(what: str) -> None:
    world = World()
    sources: dict[str, Source] = {
        "tone": ToneSource(1),
        "file": FileSource(Recording(20), 2),
        "microphone": MicSource(),
    }
    source = sources[what]
    drill = world.start(source, NORTH, cls=EMERGENCY, chime=Chime.WARNING, drill=True)
    world.speak()
    world.run(3, world.speak)
    mark, warning = drill_mark(), encoded(Chime.WARNING)
    length = {"tone": warning.frames, "file": 2 * (warning.frames + 20), "microphone": 50}[what]
    began = min(world.ears.frames_at(world.air.territory.index(NORTH)))
    world.run(2 * mark.frames + length + 20)
    heard = world.ears.frames_at(world.air.territory.index(NORTH))
    program = drill.order.program_id
    assert [heard[began + n] for n in range(mark.frames)] == [
        (program, mark.opus(n)) for n in range(mark.frames)
    ]
    assert heard[began + mark.frames] == (program, warning.opus(0))
    if what != "microphone":
        last = max(heard)
        assert last - began + 1 == 2 * mark.frames + length
        assert heard[last] == (program, mark.opus(mark.frames - 1))


def test_an_emergency_is_urgent_to_its_last_packet_and_before_all_else() -> None:
    world = World(packing=1)
    world.start(FileSource(Recording()), SOUTH)
    alert = world.start(ToneSource(), NORTH, cls=EMERGENCY, chime=Chime.WARNING)
    before = len(world.ears.sent)
    world.run(3)
    sent = [(parse_datagram(p.data).message, urgent) for p, urgent in world.ears.sent[before:]]
    programs = [
        (m.program == alert.order.program_id, urgent) for m, urgent in sent if isinstance(m, Start | Audio)
    ]
    assert programs == [(True, True), (False, False)] * 3


def test_an_emergency_whose_microphone_never_calls_blocks_nobody_for_long() -> None:
    world = World()
    alert = world.start(MicSource(), PROVINCE, cls=EMERGENCY, chime=Chime.WARNING)
    assert world.playing(NORTH) == alert.order.id, "its tone sounds at once"
    world.run(CALL_IN_US // FRAME_US + 2)
    ended = [event.on_air for event in world.events if isinstance(event, BroadcastEnded)]
    assert [on.reason for on in ended] == [EndReason.LOST]


def test_overridden_at_some_places_it_goes_on_and_is_back_where_it_is_now() -> None:
    world = World()
    file = world.start(FileSource(Recording()), PROVINCE)
    world.run(30)
    local = world.start(FileSource(Recording()), NORTH, cls=PRIORITY)
    world.run(30)
    assert world.air.get(file.order.id).state is State.PLAYING
    assert world.air.get(file.order.id).winning == 2
    world.air.stop(local.order.id)
    world.run(6)
    heard = world.ears.frames_at(world.air.territory.index(NORTH))
    assert heard[world.k] == (file.order.program_id, b"file %4d" % 65)
    missed = [e for e in world.events if isinstance(e, Overridden) and e.before == file.order.id]
    assert missed, "the play log is told who missed what"


@pytest.mark.parametrize(
    ("rule", "packet"),
    [(Resume.CONTINUE, 50), (Resume.RESTART, 0), (Resume.DROP, None)],
    ids=lambda r: str(r),
)
def test_resume_rules(rule: Resume, packet: int | None) -> None:
    world = World()
    file = world.start(FileSource(Recording()), NORTH, resume=rule)
    world.run(50)
    alert = world.start(ToneSource(), NORTH, cls=EMERGENCY, chime=Chime.WARNING)
    world.run(20)
    world.air.stop(alert.order.id)
    back = world.k + 1
    world.run(3)
    heard = world.ears.frames_at(world.air.territory.index(NORTH))
    if packet is None:
        assert world.playing(NORTH) is None
        ended = [event.on_air for event in world.events if isinstance(event, BroadcastEnded)]
        assert ended[0].reason is EndReason.REPLACED
    else:
        assert heard[back] == (file.order.program_id, b"file %4d" % packet)


def test_a_live_call_that_is_cut_never_resumes_by_itself() -> None:
    world = World()
    live = world.start(MicSource(), NORTH, origin=Origin.LIVE)
    world.run(5, world.speak)
    assert world.playing(NORTH) == live.order.id
    alert = world.start(ToneSource(), PROVINCE, cls=EMERGENCY, chime=Chime.WARNING)
    assert [e.on_air.reason for e in world.events if isinstance(e, BroadcastEnded)] == [EndReason.REPLACED]
    world.air.stop(alert.order.id)
    world.run(10, world.speak)
    assert world.playing(NORTH) is None


def test_a_live_call_waits_for_its_microphone_then_its_chime_then_speaks() -> None:
    world = World(packing=1)
    live = world.start(MicSource(), NORTH, origin=Origin.LIVE, chime=Chime.INFORMATION)
    assert live.state is State.WAITING
    world.run(20)
    assert world.playing(NORTH) is None
    world.run(1, world.speak)
    assert world.air.get(live.order.id).state is State.CHIME
    length = encoded(Chime.INFORMATION).frames
    world.run(length + 1, world.speak)
    assert world.air.get(live.order.id).state is State.LIVE
    world.run(5, world.speak)
    assert any(isinstance(event, LevelHeard) for event in world.events)
    heard = world.ears.frames_at(world.air.territory.index(NORTH))
    assert len(heard[world.k][1]) == 80, "encoded speech"
    assert max(heard) == world.k, "20 ms packing sends each frame at its tick"


def test_a_microphone_that_never_calls_is_given_up() -> None:
    world = World()
    live = world.start(MicSource(), NORTH)
    world.run(CALL_IN_US // FRAME_US + 2)
    ended = [event.on_air for event in world.events if isinstance(event, BroadcastEnded)]
    assert [(on.order.id, on.reason) for on in ended] == [(live.order.id, EndReason.LOST)]
    assert world.air.on_air() == []
    assert not world.ears.told, "nobody heard of it"


def test_among_emergencies_severity_then_the_higher_place_then_the_latest() -> None:
    world = World()
    tone = ToneSource()
    commune = world.start(tone, NORTH, cls=EMERGENCY, chime=Chime.WARNING, severity=Severity.SEVERE)
    province = world.start(tone, PROVINCE, cls=EMERGENCY, chime=Chime.WARNING, severity=Severity.SEVERE)
    assert world.playing(NORTH) == province.order.id
    world.run(3)
    world.start(tone, NORTH, cls=EMERGENCY, chime=Chime.WARNING, severity=Severity.SEVERE)
    assert world.playing(NORTH) == province.order.id
    worst = world.start(tone, NORTH, cls=EMERGENCY, chime=Chime.WARNING, severity=Severity.EXTREME)
    assert world.playing(NORTH) == worst.order.id
    latest = world.start(tone, NORTH, cls=EMERGENCY, chime=Chime.WARNING, severity=Severity.EXTREME)
    assert world.playing(NORTH) == latest.order.id
    for on in (latest, worst, province):
        world.air.stop(on.order.id)
    assert world.air.playing_at(NORTH) is not None
    world.air.stop(commune.order.id)


def test_the_commune_orders_its_priority_class() -> None:
    world = World()
    first = world.start(FileSource(Recording()), PROVINCE, cls=PRIORITY)
    second = world.start(FileSource(Recording()), NORTH, cls=PRIORITY)
    assert world.playing(NORTH) == first.order.id
    world.air.reorder(NORTH, [second.order.id])
    assert world.ears.controls == [b"order"]
    assert world.air.greeting(HAMLET)[0] == b"order", "newcomers are told as well"
    assert world.playing(NORTH) == second.order.id
    assert world.playing(SOUTH) == first.order.id
    world.air.reorder(NORTH, [])
    assert world.playing(NORTH) == first.order.id


def test_a_recording_ends_by_itself_after_its_last_packet() -> None:
    world = World()
    on = world.start(FileSource(Recording(10), repeat=2), NORTH, chime=Chime.INFORMATION)
    length = 2 * (10 + encoded(Chime.INFORMATION).frames)
    first = world.k + 1
    world.run(length + 5)
    heard = world.ears.frames_at(world.air.territory.index(NORTH))
    assert heard[first + length - 1] == (on.order.program_id, b"file    9")
    ended = [event.on_air for event in world.events if isinstance(event, BroadcastEnded)]
    assert [e.reason for e in ended] == [EndReason.FINISHED]
    assert ended[0].ended_us == (first + length) * FRAME_US
    assert len(world.ears.told) == 2, "its start and its end, to every link"


def test_a_forgotten_broadcast_ends_at_its_limit() -> None:
    world = World()
    world.start(FileSource(Recording(10_000)), NORTH, expires_us=world.clock.now_us() + 1_000_000)
    world.run(60)
    ended = [event.on_air for event in world.events if isinstance(event, BroadcastEnded)]
    assert [on.reason for on in ended] == [EndReason.EXPIRED]


def test_an_end_is_repeated_for_those_who_lost_it() -> None:
    world = World()
    on = world.start(FileSource(Recording()), NORTH)
    world.run(5)
    before = len(world.ears.sent)
    world.air.stop(on.order.id)
    told = world.ears.told[-1][0].data
    world.run(60)
    assert [parcel.data for parcel, _ in world.ears.sent[before:]] == [told] * 3


def test_many_targets_are_listed_ahead_of_their_start() -> None:
    places = [
        Place(f"{n:016x}", None if n == 1 else PROVINCE, f"Xã {n}", f"xa-{n}", "commune", n)
        for n in range(1, 40)
    ]
    world = World()
    world.air.set_territory(Territory(places))
    on = world.start(FileSource(Recording()), *(place.id for place in places[1:]))
    assert [set(targets) for targets in world.ears.lists] == [set(on.order.targets)]
    start = parse_datagram(world.ears.sent[0][0].data).message
    assert isinstance(start, Start)
    assert isinstance(start.targets, bytes)


@pytest.mark.parametrize(
    ("targets", "said"),
    [((), "no target"), (("f" * 16,), "unknown targets"), ((PROVINCE, "f" * 16), "unknown targets ffff")],
)
def test_an_unreadable_target_is_nobody(targets: tuple[str, ...], said: str) -> None:
    world = World()
    with pytest.raises(OperatorError, match=said):
        world.start(FileSource(Recording()), *targets)
    world.run(3)
    assert world.ears.sent == []


def test_orders_that_cannot_be() -> None:
    world = World()
    order = world.order(FileSource(Recording()), NORTH)
    world.air.start(order)
    with pytest.raises(ConflictError):
        world.air.start(order)
    with pytest.raises(NotFoundError):
        world.air.stop("f" * 16)
    with pytest.raises(NotFoundError):
        world.air.microphone(order.program_id)
    with pytest.raises(OperatorError, match="expired"):
        world.start(FileSource(Recording()), NORTH, expires_us=world.clock.now_us())


def test_moving_a_commune_moves_what_it_hears() -> None:
    world = World()
    on = world.start(FileSource(Recording()), NORTH)
    moved = [
        Place(PROVINCE, None, "Đồng Tháp", "dong-thap", "province", 0),
        Place(NORTH, PROVINCE, "Xã Bắc", "bac", "commune", 1),
        Place(SOUTH, PROVINCE, "Xã Nam", "nam", "commune", 0),
        Place(HAMLET, SOUTH, "Ấp Một", "ap-1", "hamlet", 0),
    ]
    world.air.set_territory(Territory(moved))
    assert world.playing(NORTH) == on.order.id
    assert world.playing(HAMLET) is None
    world.air.set_territory(Territory([moved[0], moved[2]]))
    assert world.air.on_air() == []


def test_a_newcomer_is_greeted_with_all_that_covers_its_place() -> None:
    world = World()
    low = world.start(FileSource(Recording()), PROVINCE)
    high = world.start(FileSource(Recording()), NORTH, cls=PRIORITY)
    world.start(MicSource(), NORTH)
    greetings = [parse_datagram(data).message for data in world.air.greeting(HAMLET)]
    assert [g.broadcast for g in greetings if isinstance(g, Start)] == [low.order.id, high.order.id]
    assert len(world.air.greeting(SOUTH)) == 1
    assert world.air.greeting("f" * 16) == []


def test_a_radio_claims_its_rank_when_it_is_first_heard_however_late() -> None:
    world = World()
    low = world.start(FileSource(Recording(10_000)), NORTH)
    radio = world.start(RADIO, NORTH, cls=PRIORITY)
    world.run(CALL_IN_US // FRAME_US + 10)
    assert world.air.get(radio.order.id).state is State.WAITING
    assert world.playing(NORTH) == low.order.id, "what was there sounds until it comes"
    world.run(1, world.speak)
    assert world.playing(NORTH) == radio.order.id
    world.run(3, world.speak)
    assert world.air.get(radio.order.id).state is State.LIVE


def test_a_radio_flows_by_unheard_and_is_back_where_it_is_now() -> None:
    world = World(packing=1)
    radio = world.start(RADIO, NORTH)
    world.run(10, world.speak)
    alert = world.start(ToneSource(), PROVINCE, cls=EMERGENCY, chime=Chime.WARNING)
    assert world.air.get(radio.order.id).state is State.PAUSED
    cut = world.k + 1
    world.run(20, world.speak)
    feed = world.microphones[0]
    assert feed.delay_samples <= 960 * 5, "what nobody hears is read all the same, so no delay grows"
    program = world.air._running[radio.order.id].program
    assert program.opus(cut + 5) is None, "and not encoded"
    world.air.stop(alert.order.id)
    world.run(5, world.speak)
    assert world.air.get(radio.order.id).state is State.LIVE
    assert world.ears.frames_at(world.air.territory.index(NORTH))[world.k][0] == radio.order.program_id
    assert not feed.closed


def test_a_radio_passes_its_titles_on_and_ends_when_its_feed_does() -> None:
    world = World()
    radio = world.start(RADIO, NORTH)
    world.run(5, world.speak)
    feed = world.microphones[0]
    feed.title = "Tiếng nói Việt Nam"
    world.run(1, world.speak)
    assert world.air.get(radio.order.id).heard == "Tiếng nói Việt Nam"
    changed = [event.on_air.heard for event in world.events if isinstance(event, BroadcastChanged)]
    assert changed[-1] == "Tiếng nói Việt Nam"
    feed.close()
    world.run(1)
    assert world.playing(NORTH) is None


def test_a_radio_that_may_not_resume_ends_when_it_is_overridden() -> None:
    world = World()
    radio = world.start(RADIO, NORTH, resume=Resume.DROP)
    world.run(5, world.speak)
    world.start(ToneSource(), PROVINCE, cls=EMERGENCY, chime=Chime.WARNING)
    ended = [event.on_air for event in world.events if isinstance(event, BroadcastEnded)]
    assert [(on.order.id, on.reason) for on in ended] == [(radio.order.id, EndReason.REPLACED)]
