"""How a new loudspeaker joins, and how a new device takes the place of a broken one."""

import base64

from aiohttp import web
from yarl import URL

from ..errors import ProtocolError
from ..station.act import Act
from ..station.codes import HOUR_US, Device, EnrolmentCode, NewCode, unknown_code
from ..station.ids import check_id
from ..trust.enrol import SECRET_BYTES, Invitation, hash_secret, make_code, parse_code
from .call import Call
from .enrolment_models import (
    EnrolIn,
    EnrolmentIn,
    EnrolmentOpen,
    EnrolmentOut,
    EnrolmentQuery,
    EnrolOut,
    ReplacementIn,
)
from .entrance import Entrance
from .hop import parse_address
from .model import moment
from .problem import HttpError, too_many
from .qr import rows
from .rate_limit import address_key, take
from .route import Listing
from .sight import find_speaker, knows


async def list_enrolments(call: Call, query: EnrolmentQuery) -> Listing[EnrolmentOpen]:
    """The codes that still wait for their device, the first to expire first."""
    desk = call.desk
    call.require([query.place] if query.place else [])
    scope = desk.authority.scope(call.person, Act.ENROL)
    slices = scope.part([query.place]) if query.place else scope.slices
    places = tuple(place for a, b in slices for place in scope.territory.ids[a:b])
    codes = await desk.station.codes.open(places, desk.clock.now_us())
    return Listing(_waiting(call, code) for code in codes)


async def make_enrolment(call: Call, body: EnrolmentIn) -> EnrolmentOut:
    """The code is shown once: only its hash is kept."""
    call.require([body.place])
    place = call.desk.directory.place(body.place)
    return await _invite(call, place.id, body.name, body, replaces=None)


async def replace_speaker(call: Call, body: ReplacementIn) -> EnrolmentOut:
    """A code for the device that takes this speaker's place. The old device goes on until it is used."""
    speaker = find_speaker(call, call.id)
    call.require([speaker.place])
    return await _invite(call, speaker.place, speaker.name, body, replaces=speaker.id)


async def cancel_enrolment(call: Call) -> None:
    """Nobody joins with this code any more."""
    desk = call.desk
    check_id(call.id, where="enrolment code")
    code = await desk.station.codes.get(call.id, desk.clock.now_us())
    if not knows(call, code.place):
        raise unknown_code(code.id)
    call.require([code.place])
    call.about(code.id, name=code.name)
    await desk.station.codes.cancel(code.id)


async def _invite(
    call: Call, place: str, name: str, wanted: EnrolmentIn | ReplacementIn, *, replaces: str | None
) -> EnrolmentOut:
    desk = call.desk
    if wanted.approved:
        desk.authority.require(call.person, Act.APPROVE_SPEAKER, [place])
    code = make_code(desk.services.credentials.roots()[0])
    invitation = _invitation(call.request, desk.services.entrance, code)
    new = NewCode(
        hash_secret(parse_code(code).secret),
        place,
        name,
        approved=wanted.approved,
        replaces=replaces,
        ttl_us=wanted.hours * HOUR_US,
    )
    stored = await desk.station.codes.add(new, now_us=desk.clock.now_us(), created_by=call.person.id)
    call.about(
        stored.id, name=stored.name, approved=new.approved, hours=wanted.hours, replaces=stored.replaces
    )
    return EnrolmentOut(
        id=stored.id,
        code=code,
        expires=moment(stored.expires_us),
        command=enrol_command(invitation, own_certificate=desk.services.own_certificate),
        place=stored.place,
        name=stored.name,
        text=invitation.text(),
        qr=rows(invitation.text()),
    )


def _invitation(request: web.Request, entrance: Entrance, code: str) -> Invitation:
    """With this node as a device reaches it."""
    try:
        return Invitation(str(_node(request, entrance)).lower(), code)
    except ValueError as error:
        raise HttpError(
            400, "no name that a loudspeaker could call", "Host", "a name or address of this node"
        ) from error


def _node(request: web.Request, entrance: Entrance) -> URL:
    """As the asker has reached it, with TLS if there is any; by the first of the operator's names when the
    asker's is neither one of them nor an address. Without such names a browser on this very machine gets what
    works on this machine.
    """
    hop, url = entrance.hop(request), request.url.origin()
    if hop.local and not entrance.names:
        return url
    if not hop.secure:
        url = URL(entrance.https(hop, "") or str(url)).origin()
    host, address = (url.host or "").lower(), parse_address(url.host or "")
    here = host == "localhost" or (address is not None and address.is_loopback)
    known = not here and (address is not None or host in {name.lower() for name in entrance.names})
    return url.with_host(entrance.names[0]) if entrance.names and not known else url


def enrol_command(invitation: Invitation, *, own_certificate: bool) -> str:
    """What to type at the loudspeaker. The code pins the root, so a node that made its own certificate may be
    taken at its word: what is not signed below that root never sounds.
    """
    node = invitation.node
    unchecked = " --no-check-tls" if own_certificate and node.startswith("https:") else ""
    return f"loa speaker --node {node} --enrol {invitation.code} --state /var/lib/loa-speaker{unchecked}"


def _waiting(call: Call, code: EnrolmentCode) -> EnrolmentOpen:
    return EnrolmentOpen(
        id=code.id,
        place=code.place,
        name=code.name,
        expires=moment(code.expires_us),
        approved=code.approved,
        replaces=code.replaces,
        created_by=call.desk.directory.account_name(code.created_by),
    )


async def enrol(call: Call, body: EnrolIn) -> EnrolOut:
    """For devices: a one-time code instead of a log-in."""
    desk, address = call.desk, address_key(call.request.remote)
    now_us = desk.clock.now_us()
    wait_s = take([(desk.enrolments, address)], now_us)
    if wait_s:
        raise too_many("too many enrolments", "enrol", wait_s)
    device = Device(body.public_key, body.serial, body.software)
    speaker = await desk.station.codes.redeem(hash_secret(_secret(body.secret)), device, now_us=now_us)
    call.by(speaker.id, speaker.name)
    call.about(speaker.id, [speaker.place], serial=speaker.serial, software=speaker.software)
    desk.speaker_changed(speaker)
    credentials = desk.services.credentials
    return EnrolOut(
        speaker=speaker.id,
        state=speaker.state.value,
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
