"""The node's keys: seen, rotated, revoked. At the root place only: they rule over all of the territory.

Law: what is answered is public; no secret key comes near here.
"""

from collections.abc import Awaitable, Iterator

from ..errors import ConfigError, ConflictError
from ..station.act import Act
from ..station.expiry import ExpiryWarning
from ..station.ring import Holder, Ring
from ..station.rotation import revoked_by
from .call import Call
from .certificate import Certificate
from .key_models import (
    CertificateOut,
    ExpiryOut,
    GrantOut,
    KeysOut,
    RevokedOut,
    RevokeIn,
    RootOut,
    RotateIn,
)
from .model import moment
from .route import Route


def key_routes(api: str) -> tuple[Route, ...]:
    path, tag, change = f"{api}/keys", "keys", Act.REVOKE_KEYS
    rotate, revoke, unfit = f"{path}/rotate", f"{path}/revoke", (404, 409)
    return (
        Route("GET", path, get_keys, "Keys, grants and what expires", tag, act=Act.SEE_KEYS),
        Route("POST", rotate, rotate_key, "Replace a key by a fresh one", tag, act=change, errors=(409,)),
        Route("POST", revoke, revoke_key, "Make a replaced key void", tag, act=change, errors=unfit),
    )


async def get_keys(call: Call) -> KeysOut:
    call.require([call.desk.services.keyring.root_place])
    return _seen(call)


async def rotate_key(call: Call, body: RotateIn) -> KeysOut:
    """Answers when the fresh key signs: speakers have heard of it by then."""
    keyring = call.desk.services.keyring
    call.require([keyring.root_place])
    call.about(which=body.which)
    await _possible(keyring.rotate(body.which, now_us=call.desk.clock.now_us()))
    return _seen(call)


async def revoke_key(call: Call, body: RevokeIn) -> KeysOut:
    """Speakers that are linked hear of it at once, the others when they link."""
    keyring = call.desk.services.keyring
    call.require([keyring.root_place])
    call.about(body.key_id)
    await _possible(keyring.revoke(body.key_id, now_us=call.desk.clock.now_us()))
    return _seen(call)


async def _possible(change: Awaitable[None]) -> None:
    """A key that lies in a safe is no fault of the node's: whoever asks must bring it."""
    try:
        await change
    except ConfigError as problem:
        raise ConflictError(str(problem)) from problem


def _seen(call: Call) -> KeysOut:
    services = call.desk.services
    ring, certificate = services.keyring.ring, services.entrance.certificate()
    return KeysOut(
        roots=[
            RootOut(key_id=root.key.key_id, generation=root.generation, secret_here=root.secret is not None)
            for root in ring.roots
        ],
        grants=list(_grants(ring)),
        revoked=list(_revoked(ring)),
        certificate=_certificate(certificate) if certificate else None,
        warnings=[_warning(one) for one in call.desk.expiry.warnings()],
    )


def _grants(ring: Ring) -> Iterator[GrantOut]:
    for holder in ring.holders:
        yield from _of_holder(holder, retired=False)
    for one in ring.retired:
        yield from _of_holder(one.holder, retired=True)


def _of_holder(holder: Holder, *, retired: bool) -> Iterator[GrantOut]:
    for grant in holder.grants:
        yield GrantOut(
            what=holder.name,
            key_id=holder.key.key_id,
            issuer=grant.issuer,
            serial=grant.serial,
            not_before=moment(grant.not_before_us),
            expires=moment(grant.expires_us),
            rights=sorted(grant.rights),
            max_class=grant.max_class,
            places=list(grant.places),
            retired=retired,
        )


def _revoked(ring: Ring) -> Iterator[RevokedOut]:
    for listed in revoked_by(ring).values():
        for one in listed.revoked:
            yield RevokedOut(key_id=one.subject, serial=one.serial, version=listed.version)


def _certificate(certificate: Certificate) -> CertificateOut:
    names = list(certificate.names)
    return CertificateOut(expires=certificate.expires, names=names, own=certificate.ours)


def _warning(one: ExpiryWarning) -> ExpiryOut:
    return ExpiryOut(what=one.what, expires=moment(one.expires_us), days_left=one.days_left, stage=one.stage)
