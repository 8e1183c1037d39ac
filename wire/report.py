"""What a speaker reports: what it verified and played, not what it was ordered.

Laws: counters only grow while a speaker lives (their differences are the news); a field that is unknown is
left out, not invented. `Heard` is the proof of sound: whoever has the packets of a program can compute the
same digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..trust.fields import Fields
from ..trust.ids import id_bytes

MAX_COUNTERS = 64
MAX_COUNTER_NAME = 40
MAX_HEARD = 64
COUNT_MAX = 2**53 - 1
SILENCE_DBFS = -120.0


class Transport(StrEnum):
    """How datagrams reach a speaker."""

    UDP = "udp"
    WS = "ws"


class State(StrEnum):
    SILENT = "silent"
    PLAYING = "playing"
    FAULT = "fault"
    """The output does not work: it verifies, and nothing sounds."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One stretch of one program that came out of the output, in media time (of its first and last frame).

    `digest`: SHA-256 over the SHA-256 hashes of the packets that were decoded and played, in media order.
    """

    broadcast: str
    program: str
    first_media_us: int
    last_media_us: int
    frames_played: int
    frames_concealed: int
    digest: bytes
    level_dbfs: float
    started_at_us: int
    """Network time at which the first start of it was verified."""
    sounded_at_us: int
    """Network time at which its first frame left for the amplifier."""


@dataclass(frozen=True, slots=True)
class Report:
    """`delay_ms`: from media time to sound. `offset_us`: how far its clock may be off (the estimate's error
    bound).
    """

    state: State
    via: Transport
    broadcast: str | None = None
    program: str | None = None
    level_dbfs: float = SILENCE_DBFS
    delay_ms: float | None = None
    offset_us: int | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    heard: tuple[Heard, ...] = ()


def report_map(report: Report) -> dict[str, object]:
    """What is at its default is left out: an idle speaker's report is about 20 bytes, and it has 50 MB a
    month.
    """
    fields: dict[str, object] = {"state": report.state.value, "via": report.via.value}
    if report.broadcast is not None:
        fields["broadcast"] = id_bytes(report.broadcast)
    if report.program is not None:
        fields["program"] = id_bytes(report.program)
    if report.level_dbfs != SILENCE_DBFS:
        fields["level_dbfs"] = report.level_dbfs
    if report.delay_ms is not None:
        fields["delay_ms"] = report.delay_ms
    if report.offset_us is not None:
        fields["offset_us"] = report.offset_us
    if report.counters:
        fields["counters"] = dict(report.counters)
    if report.heard:
        fields["heard"] = [_heard_map(heard) for heard in report.heard]
    return fields


def read_report(fields: Fields) -> Report:
    return Report(
        state=fields.choice("state", State),
        via=fields.choice("via", Transport),
        broadcast=fields.ident("broadcast") if fields.has("broadcast") else None,
        program=fields.ident("program") if fields.has("program") else None,
        level_dbfs=fields.number("level_dbfs", -200, 20) if fields.has("level_dbfs") else SILENCE_DBFS,
        delay_ms=fields.number("delay_ms", -60_000, 60_000) if fields.has("delay_ms") else None,
        offset_us=fields.integer("offset_us", -COUNT_MAX, COUNT_MAX) if fields.has("offset_us") else None,
        counters=_counters(fields) if fields.has("counters") else {},
        heard=tuple(map(_read_heard, fields.maps("heard", MAX_HEARD))) if fields.has("heard") else (),
    )


def _counters(fields: Fields) -> dict[str, int]:
    counters = Fields(f"{fields.what}.counters", fields.map("counters", MAX_COUNTERS, MAX_COUNTER_NAME))
    return {name: counters.integer(name, 0, COUNT_MAX) for name in counters.names()}


def _heard_map(heard: Heard) -> dict[str, object]:
    return {
        "broadcast": id_bytes(heard.broadcast),
        "program": id_bytes(heard.program),
        "first_media_us": heard.first_media_us,
        "last_media_us": heard.last_media_us,
        "played": heard.frames_played,
        "concealed": heard.frames_concealed,
        "digest": heard.digest,
        "level_dbfs": heard.level_dbfs,
        "started_at_us": heard.started_at_us,
        "sounded_at_us": heard.sounded_at_us,
    }


def _read_heard(fields: Fields) -> Heard:
    return Heard(
        broadcast=fields.ident("broadcast"),
        program=fields.ident("program"),
        first_media_us=fields.integer("first_media_us", 0, COUNT_MAX),
        last_media_us=fields.integer("last_media_us", 0, COUNT_MAX),
        frames_played=fields.integer("played", 0, COUNT_MAX),
        frames_concealed=fields.integer("concealed", 0, COUNT_MAX),
        digest=fields.raw("digest", 32, 32),
        level_dbfs=fields.number("level_dbfs", -200, 20),
        started_at_us=fields.integer("started_at_us", 0, COUNT_MAX),
        sounded_at_us=fields.integer("sounded_at_us", 0, COUNT_MAX),
    )
