"""Logging in and out. The password is looked at by the station, in threads of its own."""

from aiohttp import web

from ..errors import DeniedError
from .call import Call
from .guard import cookie_name
from .model import moment
from .people_models import Account, LoginIn, Needs, PasswordIn, SessionOut
from .problem import HttpError, in_words
from .rate_limit import address_key
from .route import Prepared
from .session_book import SignedIn


async def log_in(call: Call, body: LoginIn) -> Prepared[SessionOut]:
    """Sets the session cookie."""
    desk = call.desk
    desk.log_ins.begin(body.name, address_key(call.request.remote))
    try:
        account = await desk.station.accounts.log_in(body.name, body.password)
    except DeniedError as error:
        what, expected = in_words(error)
        raise HttpError(401, what, "session", expected) from error
    desk.log_ins.succeeded(body.name)
    desk.directory.put_account(account)
    return _with_cookie(call, await desk.sessions.open(account))


async def who_am_i(call: Call) -> SessionOut:
    return _told(call.person)


async def log_out(call: Call) -> web.StreamResponse:
    await call.desk.sessions.close(call.person)
    response = web.Response(status=204)
    secure = call.request.secure
    response.del_cookie(cookie_name(secure=secure), secure=secure, httponly=True, samesite="Strict")
    return response


async def change_password(call: Call, body: PasswordIn) -> Prepared[SessionOut]:
    """Ends every session of the account and begins a new one: take the new cookie and CSRF token."""
    who, desk = call.person, call.desk
    desk.log_ins.begin(who.name, address_key(call.request.remote))
    fresh = await desk.sessions.change_password(who, body.old, body.new)
    desk.log_ins.succeeded(who.name)
    desk.directory.put_account(fresh.account)
    return _with_cookie(call, fresh)


def _told(who: SignedIn) -> SessionOut:
    account = Account(id=who.id, name=who.name, full_name="", must_change=who.account.must_change)
    return SessionOut(
        account=account,
        csrf=who.csrf,
        expires=moment(who.expires_us),
        needs=Needs.PASSWORD if who.account.must_change else Needs.NOTHING,
        second=None,
        acts=[],
        scope=[],
    )


def _with_cookie(call: Call, who: SignedIn) -> Prepared[SessionOut]:
    secure = call.request.secure
    left_s = max(1, (who.expires_us - call.desk.clock.now_us()) // 1_000_000)

    def set_cookie(response: web.StreamResponse) -> None:
        response.set_cookie(
            cookie_name(secure=secure),
            who.token,
            max_age=left_s,
            secure=secure,
            httponly=True,
            samesite="Strict",
        )

    return Prepared(_told(who), set_cookie)
