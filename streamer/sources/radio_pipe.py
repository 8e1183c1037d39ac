"""What a radio's worker and the node say to each other over its pipes. Pure.

To the worker, one line of JSON: the job. From it, messages: one letter, four bytes of length, then so many
bytes. `P`: 20 ms of sound with its level; `Q`: 20 ms in which there is none; `S`: how it stands, as JSON. The
worker has had hostile bytes in its hands, so `parse_...` believe nothing and raise ProtocolError alone.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_network

import numpy as np

from ...codecs.frame import FRAME_SAMPLES, Pcm
from ...codecs.meter import Level
from ...errors import ProtocolError
from .radio_icy import clean_title
from .radio_reach import Network

HEAD = struct.Struct("<cI")
_LEVEL = struct.Struct("<ff?")
SOUND, QUIET, STATE = b"P", b"Q", b"S"
SOUND_BYTES = _LEVEL.size + FRAME_SAMPLES * 2
MAX_STATE_BYTES = 32 * 1024
MAX_JOB_BYTES = 64 * 1024
STATES = ("idle", "opening", "standby", "air")


@dataclass(frozen=True, slots=True)
class Job:
    """`once`: only find out what the first address is."""

    addresses: tuple[str, ...]
    private: tuple[Network, ...] = ()
    once: bool = False


@dataclass(frozen=True, slots=True)
class AddressState:
    state: str = "idle"
    error: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class RadioState:
    """`air`: which address sounds; `delay_ms`: what it holds in reserve."""

    addresses: tuple[AddressState, ...] = ()
    air: int | None = None
    name: str = ""
    title: str = ""
    codec: str = ""
    kind: str = ""
    switches: int = 0
    faults: int = 0
    format_changes: int = 0
    delay_ms: int = 0
    sounding: bool = False


def build_job(job: Job) -> bytes:
    said = {"addresses": job.addresses, "private": [str(one) for one in job.private], "once": job.once}
    return json.dumps(said).encode() + b"\n"


def parse_job(line: bytes) -> Job:
    try:
        said = json.loads(line)
        private = tuple(ip_network(str(one)) for one in said["private"])
        return Job(tuple(str(address) for address in said["addresses"]), private, bool(said["once"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError(f"job {line[:80]!r}: {error}; expected addresses and networks") from error


def build_sound(pcm: Pcm, level: Level) -> bytes:
    body = _LEVEL.pack(level.rms_dbfs, level.peak_dbfs, level.clipped) + pcm.astype("<i2").tobytes()
    return HEAD.pack(SOUND, len(body)) + body


def build_quiet() -> bytes:
    return HEAD.pack(QUIET, 0)


def build_state(state: RadioState) -> bytes:
    body = json.dumps(asdict(state)).encode()
    return HEAD.pack(STATE, len(body)) + body


def parse_head(head: bytes) -> tuple[bytes, int]:
    """Kind and length of what follows."""
    kind, length = HEAD.unpack(head)
    most = {SOUND: SOUND_BYTES, QUIET: 0, STATE: MAX_STATE_BYTES}.get(kind)
    if most is None or length > most or (kind == SOUND and length != SOUND_BYTES):
        raise ProtocolError(f"worker's message {kind!r} of {length} bytes; expected P, Q or S")
    return kind, length


def parse_sound(body: bytes) -> tuple[Pcm, Level]:
    rms, peak, clipped = _LEVEL.unpack_from(body)
    if not (-200 <= rms <= 10 and -200 <= peak <= 10):
        raise ProtocolError(f"worker's level {rms}, {peak}; expected dBFS")
    return np.frombuffer(body, "<i2", offset=_LEVEL.size).astype(np.int16), Level(rms, peak, bool(clipped))


def parse_state(body: bytes) -> RadioState:
    try:
        said = json.loads(body)
        air = said["air"]
        addresses = _addresses(said["addresses"])
        if air is not None and not 0 <= int(air) < len(addresses):
            raise ValueError(f"address {air} on air")
        return RadioState(
            addresses=addresses,
            air=None if air is None else int(air),
            name=clean_title(str(said["name"])),
            title=clean_title(str(said["title"])),
            codec=clean_title(str(said["codec"])),
            kind=clean_title(str(said["kind"])),
            switches=int(said["switches"]),
            faults=int(said["faults"]),
            format_changes=int(said["format_changes"]),
            delay_ms=int(said["delay_ms"]),
            sounding=bool(said["sounding"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolError(f"worker's state {body[:80]!r}: {error}; expected how it stands") from error


def _addresses(said: Sequence[dict[str, object]]) -> tuple[AddressState, ...]:
    found = []
    for one in said[:16]:
        state = str(one["state"])
        if state not in STATES:
            raise ValueError(f"state {state[:40]!r}")
        found.append(AddressState(state, clean_title(str(one["error"])), int(str(one["failures"]))))
    return tuple(found)
