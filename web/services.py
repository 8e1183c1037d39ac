"""What the web needs of the rest of the house. The composition root fills it in; nothing here makes
anything.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry

from ..clock import Clock
from ..station.archive import Archive
from ..station.audit_entry import NewEntry
from ..station.broadcast import Broadcast
from ..station.content import ContentStore
from ..station.keyring import Keyring
from ..station.place import Place
from ..station.speaker import Speaker
from ..station.station import Station
from ..station.texts import Texts
from ..station.volumes import Loudness
from ..streamer.air import Air
from ..streamer.clips import Clip
from ..streamer.outputs.multicast import Multicast
from ..streamer.presence import Roll
from ..streamer.sources.pushes import Pushes
from ..streamer.sources.radios import Radios
from ..streamer.territory import Territory
from ..trust.keys import VerifyKey
from .entrance import Entrance
from .microphone_tokens import MicrophoneTokens


class EmergencyLog(Protocol):
    """Where an emergency is before it is acknowledged. All return when it is on the disk."""

    async def started(self, broadcast: Broadcast) -> None: ...
    async def ended(self, broadcast_id: str, *, at_us: int, reason: str) -> None: ...
    async def noted(self, entry: NewEntry) -> None: ...


class Credentials(Protocol):
    """What a speaker is given to believe when it enrols."""

    def roots(self) -> Sequence[VerifyKey]: ...

    def chain(self) -> Sequence[str]:
        """Grants from below the root down to this node."""
        ...

    def placement(self, speaker: Speaker) -> bytes:
        """A signed statement of where it stands."""
        ...


class Network(Protocol):
    """What else must follow when somebody edits the territory: links, placements."""

    async def places_changed(self, territory: Territory, places: Mapping[str, Place]) -> None:
        """The air has the new territory already."""
        ...

    def speaker_changed(self, speaker: Speaker) -> None:
        """Enrolled, renamed or moved."""
        ...

    def speaker_removed(self, speaker_id: str) -> None: ...


class VolumeOrders(Protocol):
    """How loud speakers are told to be."""

    def of(self, target: str) -> Loudness | None:
        """The latest order for exactly this speaker or place."""
        ...

    async def order(self, target: str, wanted: Loudness, by: str) -> None:
        """Signed, stored, and on its way to the speakers. ConfigError while the key for it is away."""
        ...


Check = Callable[[], Awaitable[str | None]]
"""A readiness check: None when all is well, else what is wrong, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """`mounted` are the handlers of the sound itself (/listen, /whip, /speaker/link)."""

    clock: Clock
    clock_id: str
    software: str
    station: Station
    air: Air
    roll: Roll
    emergencies: EmergencyLog
    credentials: Credentials
    network: Network
    volumes: VolumeOrders
    keyring: Keyring
    tokens: MicrophoneTokens
    content: ContentStore
    texts: Texts
    clip: Callable[[str], Clip]
    """Opens the stored recording in a folder of the content store; called in a thread."""
    registry: CollectorRegistry
    multicast: Multicast
    relays: Radios
    pushes: Pushes
    archive: Archive
    mounted: Sequence[web.AbstractRouteDef] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    dist: Path = Path(__file__).parent / "dist"
    link_path: str = "/speaker/link"
    entrance: Entrance = field(default_factory=Entrance)
    own_certificate: bool = False
    """The node has made its TLS certificate itself, so no machine believes it unasked."""
