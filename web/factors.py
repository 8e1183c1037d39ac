"""One's own second factors: setting them up, and taking them away.

Laws: a factor counts from when it was shown to work; with the first one every other session of the account
ends and ten recovery codes are made; taking one away needs the password, and the last one stays while a role
asks for one.
"""

from ..errors import ConflictError
from ..station.factors import Factor
from ..station.passkeys import Site, registration_options, verify_registration
from .call import Call
from .caller import browser_of
from .challenges import Purpose
from .factor_models import (
    ConfirmIn,
    FactorOut,
    FactorsOut,
    PasskeyIn,
    PasskeyOptionsOut,
    PasskeyOut,
    ProofIn,
    RecoveryOut,
    TotpIn,
    TotpOut,
)
from .model import moment
from .qr import rows
from .site import site_of
from .standing import prove


async def list_factors(call: Call) -> FactorsOut:
    """The second factors of this account."""
    call.require()
    who, desk = call.person, call.desk
    return FactorsOut(
        required=desk.authority.needs_second_factor(who),
        factors=[_told(factor) for factor in await desk.station.factors.of_account(who.id)],
        recovery_left=await desk.station.recovery.left(who.id),
    )


async def begin_totp(call: Call, body: TotpIn) -> TotpOut:
    """A secret for an app of one-time codes (RFC 6238). It counts once a code of it is confirmed."""
    call.require()
    who, desk = call.person, call.desk
    made = await desk.station.factors.begin_totp(
        who.id, body.name, account_name=who.name, now_us=desk.clock.now_us()
    )
    return TotpOut(id=made.id, secret=made.secret, uri=made.uri, qr=rows(made.uri))


async def confirm_totp(call: Call, body: ConfirmIn) -> RecoveryOut:
    """The first code of the app: from now on the factor counts."""
    call.require()
    who, desk = call.person, call.desk
    desk.log_ins.begin_second(who.name, browser_of(call, who.name))
    await desk.station.factors.confirm_totp(who.id, call.id, body.code, now_us=desk.clock.now_us())
    desk.log_ins.succeeded(who.name, browser_of(call, who.name))
    return RecoveryOut(recovery_codes=await _set_up(call))


async def passkey_options(call: Call) -> PasskeyOptionsOut:
    """What navigator.credentials.create() is to be called with."""
    call.require()
    who, desk, site = call.person, call.desk, _site(call)
    challenge = desk.challenges.open(who.id, Purpose.PASSKEY, now_us=desk.clock.now_us())
    known = await desk.station.factors.passkeys(who.id)
    options = registration_options(
        site, challenge.bytes, account_id=who.id, account_name=who.name, known=known
    )
    return PasskeyOptionsOut(challenge=challenge.name, options=options)


async def add_passkey(call: Call, body: PasskeyIn) -> PasskeyOut:
    """What the authenticator made of the options; it counts at once."""
    call.require()
    who, desk, site = call.person, call.desk, _site(call)
    now_us = desk.clock.now_us()
    challenge = desk.challenges.attempt(body.challenge, Purpose.PASSKEY, now_us=now_us)
    if challenge.account != who.id:
        raise ConflictError("challenge: it is another account's; expected one of POST .../passkey/options")
    made = verify_registration(site, challenge.bytes, body.credential)
    desk.challenges.close(challenge)
    factor = await desk.station.factors.add_passkey(who.id, body.name, made, now_us=now_us)
    return PasskeyOut(id=factor.id, recovery_codes=await _set_up(call))


async def remove_factor(call: Call, body: ProofIn) -> None:
    """Needs the password. With the last one the recovery codes go as well."""
    call.require()
    who, desk = call.person, call.desk
    await prove(call, body.password)
    keep_one = desk.authority.needs_second_factor(who)
    await desk.station.factors.remove(who.id, call.id, keep_one=keep_one)
    desk.sessions.factors_changed(who.id)


async def new_recovery_codes(call: Call, body: ProofIn) -> RecoveryOut:
    """Ten new ones; those from before are void. Needs the password."""
    call.require()
    who, desk = call.person, call.desk
    await prove(call, body.password)
    if not await desk.station.factors.of_account(who.id):
        raise ConflictError("recovery codes: there is no second factor; expected one to be set up first")
    return RecoveryOut(recovery_codes=await desk.station.recovery.make(who.id, now_us=desk.clock.now_us()))


async def _set_up(call: Call) -> list[str] | None:
    """A factor has just been shown to work: this session has shown one; the codes, if there are none yet."""
    who, desk = call.person, call.desk
    await desk.sessions.showed_second_factor(who)
    if await desk.station.recovery.left(who.id):
        return None
    return await desk.station.recovery.make(who.id, now_us=desk.clock.now_us())


def _site(call: Call) -> Site:
    site = site_of(call.request)
    if site is None:
        raise ConflictError(
            "passkeys: a browser binds them to a name, over TLS; expected https:// and a name, not an address"
        )
    return site


def _told(factor: Factor) -> FactorOut:
    return FactorOut(
        id=factor.id,
        kind=factor.kind,
        name=factor.name,
        created=moment(factor.created_us),
        last_used=None if factor.last_used_us is None else moment(factor.last_used_us),
    )
