"""How loud: orders for one speaker, or for all below a place; the nearest to the speaker rules."""

from collections.abc import Sequence

from ..station.volumes import FULL, Loudness
from .call import Call
from .sight import find_speaker
from .volume_models import LoudnessOut, VolumeIn, VolumeOut, VolumeSource


async def get_place_volume(call: Call) -> VolumeOut:
    call.require([call.id])
    return _told(call, call.id)


async def set_place_volume(call: Call, body: VolumeIn) -> VolumeOut:
    """For all speakers at the place and below it that have no nearer order."""
    call.require([call.id])
    place = call.desk.directory.place(call.id)
    call.about(**body.model_dump())
    await call.desk.services.volumes.order(place.id, _wanted(body), call.person.id)
    return _told(call, place.id)


async def get_speaker_volume(call: Call) -> VolumeOut:
    speaker = find_speaker(call, call.id)
    call.require([speaker.place])
    return _told(call, speaker.place, speaker.id)


async def set_speaker_volume(call: Call, body: VolumeIn) -> VolumeOut:
    speaker = find_speaker(call, call.id)
    call.require([speaker.place])
    call.about(**body.model_dump())
    await call.desk.services.volumes.order(speaker.id, _wanted(body), call.person.id)
    return _told(call, speaker.place, speaker.id)


def _wanted(body: VolumeIn) -> Loudness:
    return Loudness(body.volume_db, body.emergency_floor_db, body.muted)


def _told(call: Call, place: str, speaker: str | None = None) -> VolumeOut:
    ancestry = reversed(call.desk.air.territory.ancestry(place))
    targets: Sequence[str] = [*([speaker] if speaker else []), *ancestry]
    orders = call.desk.services.volumes
    own = orders.of(targets[0])
    for target in targets:
        ruling = orders.of(target)
        if ruling is not None:
            source = VolumeSource.SPEAKER if target == speaker else VolumeSource.PLACE
            return VolumeOut(own=_out(own), effective=_loudness(ruling), source=source, source_id=target)
    return VolumeOut(own=None, effective=_loudness(FULL), source=VolumeSource.DEFAULT, source_id=None)


def _out(loudness: Loudness | None) -> LoudnessOut | None:
    return _loudness(loudness) if loudness else None


def _loudness(loudness: Loudness) -> LoudnessOut:
    return LoudnessOut(
        volume_db=loudness.volume_db,
        emergency_floor_db=loudness.emergency_floor_db,
        muted=loudness.muted,
    )
