"""Logging in and out, in one step or in two. The password is looked at by the station, in threads of its
own.

Laws: who has shown the password alone, where a second factor is set up, has no cookie and no session yet; a
log-in that succeeds replaces the browser's session and makes the browser a known one.
"""

from collections.abc import Callable

from aiohttp import web

from ..errors import DeniedError
from ..station.accounts import Account as StationAccount
from .call import Call
from .caller import address_of, browser_of, cookie_of, origin_of
from .challenges import Purpose
from .factor_check import second_out, shows
from .guard import cookie_name
from .known_browsers import LASTS_US
from .known_browsers import cookie_name as browser_cookie
from .model import moment
from .people_models import Account, LoginIn, Needs, PasswordIn, SecondIn, SessionOut
from .problem import HttpError, in_words
from .route import Prepared
from .session_book import SignedIn
from .standing import session_out


async def log_in(call: Call, body: LoginIn) -> Prepared[SessionOut]:
    """Sets the session cookie, unless a second factor is set up: then `second` says how to go on."""
    desk, browser = call.desk, browser_of(call, body.name)
    call.by(*desk.directory.account_called(body.name))
    desk.log_ins.begin(body.name, address_of(call), browser)
    try:
        account = await desk.station.accounts.log_in(body.name, body.password, known=browser is not None)
        if await desk.station.factors.of_account(account.id):
            return await _second_step(call, account)
        account = await _active(call, account)
    except DeniedError as error:
        raise _refused(error) from error
    desk.log_ins.succeeded(body.name, browser)
    return await _begin(call, account, second_factor=False)


async def log_in_second(call: Call, body: SecondIn) -> Prepared[SessionOut]:
    """The second step: a code of the app, a recovery code or a passkey. Sets the session cookie."""
    desk = call.desk
    try:
        challenge = desk.challenges.attempt(body.challenge, Purpose.LOG_IN, now_us=desk.clock.now_us())
        account = await desk.station.accounts.get(challenge.account)
        call.by(account.id, account.name)
        browser = browser_of(call, account.name)
        desk.log_ins.begin_second(account.name, browser)
        if not await shows(call, challenge, body):
            raise DeniedError("second factor: it was not shown; expected a fresh code or your passkey")
        desk.challenges.close(challenge)
        account = await _active(call, account)
    except DeniedError as error:
        raise _refused(error) from error
    desk.log_ins.succeeded(account.name, browser)
    return await _begin(call, account, second_factor=True)


async def who_am_i(call: Call) -> SessionOut:
    return session_out(call.desk, call.person)


async def log_out(call: Call) -> web.StreamResponse:
    await call.desk.sessions.close(call.person)
    response = web.Response(status=204)
    secure = call.request.secure
    response.del_cookie(cookie_name(secure=secure), secure=secure, httponly=True, samesite="Strict")
    return response


async def change_password(call: Call, body: PasswordIn) -> Prepared[SessionOut]:
    """Ends every session of the account and begins a new one: take the new cookie and CSRF token."""
    who, desk, browser = call.person, call.desk, browser_of(call, call.person.name)
    desk.log_ins.begin(who.name, address_of(call), browser)
    fresh = await desk.sessions.change_password(who, body.old, body.new, origin_of(call))
    desk.log_ins.succeeded(who.name, browser)
    desk.challenges.close_all(who.id)
    desk.directory.put_account(fresh.account)
    return _with_cookies(call, fresh)


def _refused(error: DeniedError) -> HttpError:
    what, expected = in_words(error)
    return HttpError(401, what, "session", expected)


async def _second_step(call: Call, account: StationAccount) -> Prepared[SessionOut]:
    desk = call.desk
    call.by(account.id, account.name)
    call.about(needs=Needs.SECOND_FACTOR.value)
    challenge = desk.challenges.open(account.id, Purpose.LOG_IN, now_us=desk.clock.now_us())
    lacking = SessionOut(
        account=Account(
            id=account.id,
            name=account.name,
            full_name=account.full_name,
            must_change=account.must_change,
        ),
        csrf="",
        expires=moment(challenge.expires_us),
        needs=Needs.SECOND_FACTOR,
        second=await second_out(call, challenge),
        acts=[],
        scope=[],
    )
    return Prepared(lacking, lambda _: None)


async def _active(call: Call, account: StationAccount) -> StationAccount:
    """It is admitted now. DeniedError when it was disabled meanwhile."""
    return await call.desk.station.accounts.logged_in(account.id, now_us=call.desk.clock.now_us())


async def _begin(call: Call, account: StationAccount, *, second_factor: bool) -> Prepared[SessionOut]:
    """The old session of this browser is over, a new one begins."""
    desk = call.desk
    if call.who is not None and call.who.token_scope is None:
        await desk.sessions.close(call.who)
    desk.directory.put_account(account)
    who = await desk.sessions.open(account, origin_of(call), second_factor=second_factor)
    return _with_cookies(call, who)


def _with_cookies(call: Call, who: SignedIn) -> Prepared[SessionOut]:
    now_us = call.desk.clock.now_us()
    known = call.desk.browsers.remember(cookie_of(call), who.name, now_us=now_us)
    secure = call.request.secure
    put = _cookie_setter(secure=secure)

    def finish(response: web.StreamResponse) -> None:
        put(response, cookie_name(secure=secure), who.token, max(1, (who.expires_us - now_us) // 1_000_000))
        put(response, browser_cookie(secure=secure), known, LASTS_US // 1_000_000)

    return Prepared(session_out(call.desk, who), finish)


def _cookie_setter(*, secure: bool) -> Callable[[web.StreamResponse, str, str, int], None]:
    def put(response: web.StreamResponse, name: str, value: str, left_s: int) -> None:
        response.set_cookie(name, value, max_age=left_s, secure=secure, httponly=True, samesite="Strict")

    return put
