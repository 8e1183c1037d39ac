"""The second step of a log-in: what it may be shown with, and whether it was."""

from ..errors import RefusedError
from ..station.factors import FactorKind
from ..station.passkeys import assertion_options, verify_assertion
from .call import Call
from .challenges import Challenge
from .people_models import Method, SecondIn, SecondOut
from .site import site_of


async def second_out(call: Call, challenge: Challenge) -> SecondOut:
    """The ways that this account has, here."""
    station, site = call.desk.station, site_of(call.request)
    factors = await station.factors.of_account(challenge.account)
    methods = []
    if any(factor.kind is FactorKind.TOTP for factor in factors):
        methods.append(Method.TOTP)
    passkeys = await station.factors.passkeys(challenge.account) if site else ()
    if passkeys:
        methods.append(Method.PASSKEY)
    if await station.recovery.left(challenge.account):
        methods.append(Method.RECOVERY)
    options = assertion_options(site, challenge.bytes, passkeys) if site and passkeys else None
    return SecondOut(challenge=challenge.name, methods=methods, passkey=options)


async def shows(call: Call, challenge: Challenge, body: SecondIn) -> bool:
    """Whether `body` answers the challenge. A code or a recovery code that did is used up."""
    station, now_us = call.desk.station, call.desk.clock.now_us()
    if body.code is not None:
        code = body.code.strip().replace(" ", "")
        if code.isdigit() and len(code) == 6:
            return await station.factors.uses_code(challenge.account, code, now_us=now_us)
        return await station.recovery.use(challenge.account, body.code, now_us=now_us)
    site = site_of(call.request)
    if body.passkey is None or site is None:
        return False
    passkeys = await station.factors.passkeys(challenge.account)
    try:
        used = verify_assertion(site, challenge.bytes, passkeys, body.passkey)
    except RefusedError:
        return False
    return await station.factors.uses_passkey(used, now_us=now_us)
