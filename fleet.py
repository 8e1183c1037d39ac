"""A fleet: many speakers enrolled at once, their devices' secrets in one file, for the demo and the benches.

Law: each device has its own key pair, as one that enrolled by code; only the way in is shorter, since here
the same hands hold the station and the devices.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .clock import Clock
from .errors import ConfigError
from .roster import SpeakerRoster
from .speaker.state import Identity, Memory
from .station.durable import replace_file
from .station.speaker import NewSpeaker
from .station.station import Station
from .trust.keys import SigningKey, VerifyKey
from .trust.statements import parse_statement

LINK = "/speaker/link"

Enrolled = tuple[Identity, Memory]


@dataclass(frozen=True, slots=True)
class Device:
    """A speaker's id and the secret half of its key."""

    speaker: str
    key: SigningKey


async def enlist(station: Station, seats: Iterable[tuple[str, str]], clock: Clock) -> list[Device]:
    """Enrol one new device at each (place id, name), all or none. The node must not have started yet."""
    wanted = list(seats)
    keys = [SigningKey.generate() for _ in wanted]
    news = [
        NewSpeaker(place=place, name=name, public_key=key.public.raw.hex(), serial=f"DEMO-{n:05d}")
        for n, ((place, name), key) in enumerate(zip(wanted, keys, strict=True), 1)
    ]
    speakers = await station.speakers.add_many(news, now_us=clock.now_us())
    return [Device(speaker.id, key) for speaker, key in zip(speakers, keys, strict=True)]


def save(devices: Sequence[Device], file: Path) -> None:
    """Keep the devices' secrets, readable by the owner alone."""
    replace_file(file, json.dumps({d.speaker: d.key.private_bytes().hex() for d in devices}).encode())


def load(file: Path) -> list[Device]:
    """ConfigError when the file is none of ours."""
    try:
        stored = json.loads(file.read_bytes())
        return [
            Device(speaker, SigningKey.from_bytes(bytes.fromhex(seed))) for speaker, seed in stored.items()
        ]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"devices {file}: {error}; expected what `loa demo` has written") from error


def papers(devices: Iterable[Device], roster: SpeakerRoster, node: str) -> list[dict[str, object]]:
    """What each device was told when it enrolled, as JSON can carry it to the process that plays them."""
    roots = [root.raw.hex() for root in roster.roots()]
    found: list[dict[str, object]] = []
    for device in devices:
        speaker = roster.speaker(device.speaker)
        placement = base64.b64encode(roster.placement(speaker)).decode()
        found.append(
            {
                "speaker": device.speaker,
                "serial": speaker.serial,
                "key": device.key.private_bytes().hex(),
                "roots": roots,
                "chain": list(roster.chain()),
                "placement": placement,
                "node": node,
            }
        )
    return found


def believe(paper: dict[str, object]) -> Enrolled:
    """The other end of `papers`."""
    roots, chain = paper["roots"], paper["chain"]
    if not isinstance(roots, list) or not isinstance(chain, list):
        raise ConfigError("papers of a device: expected lists of roots and grants")
    identity = Identity(
        speaker=str(paper["speaker"]),
        serial=str(paper["serial"]),
        key=SigningKey.from_bytes(bytes.fromhex(str(paper["key"]))),
        roots=tuple(VerifyKey(bytes.fromhex(root)) for root in roots),
        node=str(paper["node"]),
        link=LINK,
    )
    placement = parse_statement(base64.b64decode(str(paper["placement"])))
    return identity, Memory(chain=tuple(chain), placement=placement)
