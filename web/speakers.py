"""The loudspeakers: their state, editing them, letting them in and shutting them out."""

from collections.abc import Iterator, Sequence
from typing import Literal

from ..station.act import Act
from ..station.speaker import Nowhere, SpeakerChange, SpeakerStep
from .call import Call
from .route import Listing
from .sight import find_place, find_speaker
from .territory_models import SpeakerOut, SpeakerPatch, SpeakerQuery


async def list_speakers(call: Call, query: SpeakerQuery) -> Listing[SpeakerOut]:
    """In the order of their places; those within one's sight."""
    call.require([find_place(call, query.place).id] if query.place else [])
    scope = call.desk.authority.scope(call.person, Act.SEE)
    seen = scope.part([query.place]) if query.place else scope.slices
    return Listing(_speakers(call, [place for a, b in seen for place in scope.territory.ids[a:b]]))


def _speakers(call: Call, places: Sequence[str]) -> Iterator[SpeakerOut]:
    for place in places:
        for speaker in sorted(call.desk.directory.speakers_at([place]), key=lambda s: (s.name, s.id)):
            yield call.desk.view.speaker(speaker)


async def change_speaker(call: Call, body: SpeakerPatch) -> SpeakerOut:
    speaker = find_speaker(call, call.id)
    call.require([speaker.place, body.place] if body.place else [speaker.place])
    call.about(name=body.name, position="position" in body.model_fields_set)
    change = SpeakerChange(name=body.name, place=body.place, notes=body.notes, position=_position(body))
    changed = await call.desk.station.speakers.change(call.id, change)
    call.desk.speaker_changed(changed)
    return call.desk.view.speaker(changed)


def _position(body: SpeakerPatch) -> tuple[float, float] | Literal[Nowhere.NOWHERE] | None:
    if body.position is not None:
        return body.position.lat, body.position.lon
    return Nowhere.NOWHERE if "position" in body.model_fields_set else None


async def approve_speaker(call: Call) -> SpeakerOut:
    """It is the device that was meant: it gets its link, and sounds what is on air."""
    return await _step(call, SpeakerStep.APPROVE)


async def block_speaker(call: Call) -> SpeakerOut:
    """Its link ends at once, and it gets no other until it is unblocked."""
    return await _step(call, SpeakerStep.BLOCK)


async def unblock_speaker(call: Call) -> SpeakerOut:
    return await _step(call, SpeakerStep.UNBLOCK)


async def _step(call: Call, step: SpeakerStep) -> SpeakerOut:
    speaker = find_speaker(call, call.id)
    call.require([speaker.place])
    call.about(name=speaker.name, before=speaker.state.value)
    changed = await call.desk.station.speakers.step(call.id, step)
    call.desk.speaker_changed(changed)
    return call.desk.view.speaker(changed)


async def remove_speaker(call: Call) -> None:
    """Its key is void for ever: the device comes back only with a new one and a new code."""
    speaker = find_speaker(call, call.id)
    call.require([speaker.place])
    call.about(name=speaker.name, serial=speaker.serial)
    await call.desk.station.speakers.delete(speaker.id, now_us=call.desk.clock.now_us())
    call.desk.speaker_removed(speaker.id)
