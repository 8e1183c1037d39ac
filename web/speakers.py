"""The loudspeakers: their state, editing them, and how a new one joins."""

import base64
from collections.abc import Iterator

from ..errors import OperatorError, ProtocolError
from ..station.codes import Device
from ..station.speaker import SpeakerChange
from ..trust.enrol import SECRET_BYTES, hash_secret, make_code, parse_code
from .call import Call
from .model import moment
from .problem import HttpError
from .rate_limit import address_key
from .route import Listing
from .territory_models import (
    EnrolIn,
    EnrolmentIn,
    EnrolmentOut,
    EnrolOut,
    SpeakerOut,
    SpeakerPatch,
    SpeakerQuery,
)


async def list_speakers(call: Call, query: SpeakerQuery) -> Listing[SpeakerOut]:
    """In the order of their places."""
    territory = call.desk.air.territory
    a, b = territory.slice(query.place) if query.place else (0, len(territory))
    call.require([query.place] if query.place else [])
    return Listing(_speakers(call, territory.ids[a:b]))


def _speakers(call: Call, places: tuple[str, ...]) -> Iterator[SpeakerOut]:
    for place in places:
        for speaker in sorted(call.desk.directory.speakers_at([place]), key=lambda s: (s.name, s.id)):
            yield call.desk.view.speaker(speaker)


async def change_speaker(call: Call, body: SpeakerPatch) -> SpeakerOut:
    speaker = call.desk.directory.speaker(call.id)
    call.require([speaker.place, body.place] if body.place else [speaker.place])
    change = SpeakerChange(name=body.name, place=body.place, notes=body.notes, position=_position(body))
    changed = await call.desk.station.speakers.change(call.id, change)
    call.desk.speaker_changed(changed)
    return call.desk.view.speaker(changed)


def _position(body: SpeakerPatch) -> tuple[float, float] | None:
    if body.lat is None and body.lon is None:
        return None
    if body.lat is None or body.lon is None:
        raise OperatorError("position: one of lat and lon, expected both or neither")
    return body.lat, body.lon


async def remove_speaker(call: Call) -> None:
    """It will not be believed any more."""
    speaker = call.desk.directory.speaker(call.id)
    call.require([speaker.place])
    await call.desk.station.speakers.delete(speaker.id)
    call.desk.speaker_removed(speaker.id)


async def make_enrolment(call: Call, body: EnrolmentIn) -> EnrolmentOut:
    """The code is shown once: only its hash is kept."""
    desk = call.desk
    place = desk.directory.place(body.place)
    call.require([place.id])
    text = make_code(desk.services.credentials.roots()[0])
    stored = await desk.station.codes.add(
        hash_secret(parse_code(text).secret),
        place=place.id,
        name=body.name,
        now_us=desk.clock.now_us(),
        created_by=call.person.id,
    )
    return EnrolmentOut(
        code=text,
        expires=moment(stored.expires_us),
        command=enrol_command(
            str(call.request.url.origin()), text, own_certificate=desk.services.own_certificate
        ),
        place=place.id,
        name=stored.name,
    )


def enrol_command(node: str, code: str, *, own_certificate: bool) -> str:
    """What to type at the loudspeaker. The code pins the root, so a node that made its own certificate may be
    taken at its word: what is not signed below that root never sounds.
    """
    unchecked = " --no-check-tls" if own_certificate and node.startswith("https:") else ""
    return f"loa speaker --node {node} --enrol {code} --state /var/lib/loa-speaker{unchecked}"


async def enrol(call: Call, body: EnrolIn) -> EnrolOut:
    """For devices: a one-time code instead of a log-in."""
    desk, address = call.desk, address_key(call.request.remote)
    now_us = desk.clock.now_us()
    wait_s = desk.enrolments.wait_s(address, now_us)
    if wait_s:
        raise HttpError(
            429, "too many enrolments", "enrol", f"another try in {wait_s} s", {"Retry-After": str(wait_s)}
        )
    desk.enrolments.spend(address, now_us)
    device = Device(body.public_key, body.serial, body.software)
    speaker = await desk.station.codes.redeem(hash_secret(_secret(body.secret)), device, now_us=now_us)
    desk.speaker_changed(speaker)
    credentials = desk.services.credentials
    return EnrolOut(
        speaker=speaker.id,
        roots=[root.raw.hex() for root in credentials.roots()],
        chain=list(credentials.chain()),
        placement=base64.b64encode(credentials.placement(speaker)).decode(),
        link=desk.services.link_path,
    )


def _secret(text: str) -> bytes:
    """Hex; ProtocolError when it is anything else."""
    try:
        secret = bytes.fromhex(text)
    except ValueError as error:
        raise ProtocolError(f"secret: no hex digits, expected {SECRET_BYTES * 2}") from error
    if len(secret) != SECRET_BYTES:
        raise ProtocolError(f"secret: {len(secret)} bytes, expected {SECRET_BYTES}")
    return secret
