"""From where a log-in is tried: the address, the browser, and whether it is one that is known."""

from .call import Call
from .hop import parse_address
from .known_browsers import cookie_name
from .rate_limit import address_key
from .session_book import Origin


def address_of(call: Call) -> str:
    """By which tries are counted."""
    return address_key(call.request.remote)


def browser_of(call: Call, account: str) -> str | None:
    """The browser's name for us, if `account` (its name, however spelt) has logged in with it before."""
    now_us = call.desk.clock.now_us()
    return call.desk.browsers.find(cookie_of(call), account, now_us=now_us)


def cookie_of(call: Call) -> str | None:
    return call.request.cookies.get(cookie_name(secure=call.request.secure))


def origin_of(call: Call) -> Origin:
    """For the list of sessions that their owner looks at."""
    agent = "".join(char for char in call.request.headers.get("User-Agent", "") if char.isprintable())
    return Origin(str(parse_address(call.request.remote or "") or ""), agent)
