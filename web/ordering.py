"""From a body of the API to an order of the air: shared by broadcasts and emergencies.

Law: it reads memory only, and the one file of the recording itself, in a thread of its own, so that an order
never waits behind a log-in, an upload or the database.
"""

import secrets
from dataclasses import dataclass

from ..errors import ConflictError
from ..streamer.broadcast import (
    EMERGENCY_REPEATS,
    FileSource,
    MicSource,
    OnAir,
    Order,
    PushSource,
    RadioSource,
    Source,
    ToneSource,
)
from ..streamer.clips import Clip
from .air_models import (
    FileSourceIn,
    MicrophoneSourceIn,
    PushSourceIn,
    RadioSourceIn,
    StartedOut,
    ToneSourceIn,
    WhipOut,
)
from .breath import Breath
from .desk import Desk
from .model import moment
from .scope import Scope

LOOP = "loop"
"""How the station's record calls a file that repeats until it is stopped."""
OUTRANKED_SHOWN = 100
MAX_REPEATS = 5_000


@dataclass(frozen=True, slots=True)
class Material:
    """What is to sound, what it was called when it was stored, the id it is stored under, and its kind."""

    source: Source
    title: str = ""
    program: str | None = None
    kind: str = "tone"

    @property
    def live(self) -> bool:
        return isinstance(self.source, MicSource | PushSource)

    @property
    def relayed(self) -> bool:
        return isinstance(self.source, RadioSource)


SourceIn = FileSourceIn | MicrophoneSourceIn | ToneSourceIn | RadioSourceIn | PushSourceIn


async def material(desk: Desk, asked: SourceIn, *, lasting_s: int, emergency: bool) -> Material:
    """The source of an order. An alert from a file is said several times over."""
    match asked:
        case MicrophoneSourceIn():
            return Material(MicSource(), kind="microphone")
        case ToneSourceIn():
            return Material(ToneSource(), kind="tone")
        case RadioSourceIn():
            radio = desk.radios.source(asked.radio)
            return Material(radio, radio.name, radio.radio, "radio")
        case PushSourceIn():
            return Material(desk.pushes.source(asked.push), program=asked.push, kind="push")
        case FileSourceIn():
            clip, title = await _recording(desk, asked.program)
            times = EMERGENCY_REPEATS if emergency else 1
            if asked.repeat:
                times = min(MAX_REPEATS, lasting_s * 50 // max(1, clip.frames) + 1)
            kind = LOOP if asked.repeat else "file"
            return Material(FileSource(clip, times), title, asked.program, kind)


async def _recording(desk: Desk, program_id: str) -> tuple[Clip, str]:
    program = desk.directory.program(program_id)
    if program.folder is None:
        raise ConflictError(f"program {program.title!r} is {program.state}, expected one that is ready")
    return await desk.recordings.open(program.folder), program.title


def new_id() -> str:
    return secrets.token_hex(8)


def started(desk: Desk, on_air: OnAir, outranked: tuple[list[str], int]) -> StartedOut:
    """What the one who ordered it is told."""
    order = on_air.order
    return StartedOut(
        id=order.id,
        program=order.program_id,
        reach=desk.view.reach_preview(order.targets),
        whip=_whip(desk, order) if isinstance(order.source, MicSource) else None,
        outranked=outranked[0],
        outranked_places=outranked[1],
    )


def _whip(desk: Desk, order: Order) -> WhipOut:
    token, expires_us = desk.services.tokens.issue(order.program_id)
    return WhipOut(url=f"/whip/{order.program_id}", token=token, expires=moment(expires_us))


async def outranked(desk: Desk, on_air: OnAir, seen: Scope) -> tuple[list[str], int]:
    """Its places where something higher plays: the first hundred that one may see, and how many in all."""
    winning = desk.air.get(on_air.order.id) if desk.air_has(on_air.order.id) else on_air
    if winning.winning >= winning.places or winning.started_us == 0:
        return [], 0
    shown: list[str] = []
    territory, breath = desk.air.territory, Breath()
    for a, b in territory.covering(on_air.order.targets):
        for place in territory.ids[a:b]:
            program = desk.air.program_at(place)
            if program is not None and program.id != on_air.order.program_id and seen.covers(place):
                shown.append(place)
            if len(shown) >= OUTRANKED_SHOWN:
                return shown, winning.places - winning.winning
            await breath.take()
    return shown, winning.places - winning.winning
