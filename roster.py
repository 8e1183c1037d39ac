"""The enrolled speakers as the house needs them: who may link, where each stands, what it is told of that.

Laws: answers come from memory; a placement is signed when it is first asked for and again after anything that
it says has changed, with a version that only grows. Implements `Roster` for the links, `Credentials` and
`Network` for the web. Used on the loop only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .clock import Clock
from .errors import NotFoundError
from .loudness import VolumeBook
from .station.keyring import Keyring
from .station.place import Place, inherited
from .station.places import Places
from .station.speaker import Speaker, SpeakerState
from .streamer.admission import Enrolled
from .streamer.air import Air
from .streamer.broadcast import OnAir
from .streamer.distribution import Distribution
from .streamer.links import Links
from .streamer.program import Program
from .streamer.territory import Territory
from .trust.keys import VerifyKey
from .trust.statements import Placement, Profile, Statement, build_statement


@dataclass(frozen=True, slots=True)
class _Standing:
    """All that a placement says of a speaker but its version."""

    ancestry: tuple[str, ...]
    latency_ms: int
    profile: Profile


class SpeakerRoster:
    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        territory: Callable[[], Territory],
        latency_ms: int,
        profile: str,
    ) -> None:
        """`latency_ms` and `profile` hold wherever no place sets its own."""
        self._keyring = keyring
        self._clock = clock
        self._territory = territory
        self._latency_ms = latency_ms
        self._profile = profile
        self._places: Mapping[str, Place] = {}
        self._speakers: dict[str, Speaker] = {}
        self._enrolled: dict[str, tuple[_Standing, Enrolled]] = {}

    def load(self, places: Mapping[str, Place], speakers: Iterable[Speaker]) -> None:
        """All there are."""
        self._places = places
        self._speakers = {speaker.id: speaker for speaker in speakers}

    def find(self, speaker_id: str) -> Enrolled | None:
        known = self._enrolled.get(speaker_id)
        if known is not None:
            return known[1]
        speaker = self._speakers.get(speaker_id)
        if speaker is None or speaker.place not in self._territory():
            return None
        standing = self._standing(speaker)
        key = VerifyKey(bytes.fromhex(speaker.public_key))
        barred = "" if speaker.state is SpeakerState.ACTIVE else speaker.state.value
        placement = self._sign(speaker, standing)
        enrolled = Enrolled(speaker.id, speaker.name, speaker.place, key, placement, barred)
        self._enrolled[speaker_id] = standing, enrolled
        return enrolled

    def speaker(self, speaker_id: str) -> Speaker:
        """NotFoundError when there is none."""
        try:
            return self._speakers[speaker_id]
        except KeyError:
            raise NotFoundError(f"speaker {speaker_id} is not enrolled here") from None

    def put(self, speaker: Speaker) -> bool:
        """It was enrolled, let in, shut out, renamed or moved. True: another device is that speaker now."""
        known = self._speakers.get(speaker.id)
        self._speakers[speaker.id] = speaker
        self._enrolled.pop(speaker.id, None)
        return known is not None and known.public_key != speaker.public_key

    def drop(self, speaker_id: str) -> None:
        self._speakers.pop(speaker_id, None)
        self._enrolled.pop(speaker_id, None)

    def moved(self, places: Mapping[str, Place]) -> list[str]:
        """The places changed: whose placement says something else now."""
        self._places = places
        stale = [name for name, (standing, _) in self._enrolled.items() if self._now(name) != standing]
        for name in stale:
            del self._enrolled[name]
        return stale

    def unsigned(self) -> list[str]:
        """Who signed the placements signs no more: forget them. Whose they were."""
        stale = list(self._enrolled)
        self._enrolled.clear()
        return stale

    # --- what an enrolling speaker is given

    def roots(self) -> Sequence[VerifyKey]:
        return self._keyring.roots

    def chain(self) -> Sequence[str]:
        return self._keyring.grants

    def placement(self, speaker: Speaker) -> bytes:
        return build_statement(self._sign(speaker, self._standing(speaker)))

    def _now(self, speaker_id: str) -> _Standing | None:
        speaker = self._speakers.get(speaker_id)
        return self._standing(speaker) if speaker and speaker.place in self._territory() else None

    def _standing(self, speaker: Speaker) -> _Standing:
        own = inherited(self._places, speaker.place)
        latency_ms = self._latency_ms if own.latency_ms is None else own.latency_ms
        return _Standing(
            self._territory().ancestry(speaker.place), latency_ms, Profile(own.profile or self._profile)
        )

    def _sign(self, speaker: Speaker, standing: _Standing) -> Statement:
        version = self._clock.now_us()
        content = Placement(speaker.id, version, standing.ancestry, standing.latency_ms, standing.profile)
        return self._keyring.sign(content)


class MountPaths:
    """What is on air at a place, for mounts, which name places by id or by any path they ever had."""

    def __init__(self, air: Air, places: Places) -> None:
        self._air = air
        self._places = places
        self._paths: Mapping[str, str] = {}

    async def reload(self) -> None:
        """Read the paths again."""
        self._paths = await self._places.paths()

    def resolve(self, path: str) -> str | None:
        return path if path in self._air.territory else self._paths.get(path.strip("/"))

    def program_at(self, place_id: str) -> Program | None:
        return self._air.program_at(place_id)

    def playing_at(self, place_id: str) -> OnAir | None:
        return self._air.playing_at(place_id) if place_id in self._air.territory else None

    def title_at(self, place_id: str) -> str:
        playing = self.playing_at(place_id)
        return (playing.heard or playing.order.title) if playing else ""

    def name_of(self, place_id: str) -> str:
        return self._air.territory.get(place_id).name if place_id in self._air.territory else ""


class LinkedSpeakers:
    """What follows on the links when somebody edits the territory. Implements `Network` for the web."""

    def __init__(
        self,
        roster: SpeakerRoster,
        links: Links,
        distribution: Distribution,
        mount_paths: MountPaths,
        volumes: VolumeBook,
    ) -> None:
        self._roster = roster
        self._links = links
        self._distribution = distribution
        self._mount_paths = mount_paths
        self._volumes = volumes

    async def places_changed(self, territory: Territory, places: Mapping[str, Place]) -> None:
        """Whose placement has changed is told so, if it is linked."""
        self._distribution.moved(territory)
        await self._mount_paths.reload()
        for speaker in self._roster.moved(places):
            if self._links.online(speaker):
                self._tell(speaker)

    def speaker_changed(self, speaker: Speaker) -> None:
        if self._roster.put(speaker):
            self._links.drop(speaker.id, "revoked")
        self._tell(speaker.id)

    def speaker_removed(self, speaker_id: str) -> None:
        self._roster.drop(speaker_id)
        self._links.drop(speaker_id, "revoked")
        self._volumes.forget(speaker_id)

    def _tell(self, speaker_id: str) -> None:
        enrolled = self._roster.find(speaker_id)
        if enrolled is None or enrolled.barred:
            self._links.drop(speaker_id, enrolled.barred if enrolled else "revoked")
            return
        self._links.place(speaker_id, enrolled.placement)
        for message in self._volumes.messages(speaker_id, enrolled.place):
            self._links.tell(speaker_id, message)
