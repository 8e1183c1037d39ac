"""What stands before every handler: errors as words, headers, who is logged in, and no forged request.

Laws: our cookie means something below /api/ only, and there a method that changes something needs the CSRF
token too (an API token, /whip and /enrol have credentials that no browser sends by itself); no answer leaves
without the security headers; an error nobody foresaw is logged with a number, and only the number is told.
These are aiohttp middlewares, outermost first: `harden`, `supervise`, `enter` (entrance.py), `identify`.
"""

import hmac
import secrets

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..errors import LoaError
from ..station.api_tokens import PREFIX
from .model import Problem
from .problem import HttpError, told, told_headers
from .rate_limit import address_key
from .session_book import SessionBook, SignedIn

SIGNED_IN: web.RequestKey[SignedIn] = web.RequestKey("signed_in", SignedIn)
CSRF_CHECKED: web.RequestKey[bool] = web.RequestKey("csrf_checked", bool)
CSRF_HEADER = "X-CSRF-Token"
LOG_INS = frozenset({("POST", "/api/v1/session"), ("POST", "/api/v1/session/second")})
"""They replace a session, so they need none; `_check_site` guards them."""
BEARER = "bearer "
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Server": "Loa",
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
}

log = structlog.get_logger("web")


def cookie_name(*, secure: bool) -> str:
    """With TLS a browser takes a `__Host-` cookie from nobody but this very host, over TLS."""
    return "__Host-loa_session" if secure else "loa_session"


@web.middleware
async def supervise(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error becomes {"what", "where", "expected"} with its status."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problem_response(error.status, _http_problem(request, error), dict(_kept(error)))
    except LoaError as error:
        found = told(error, request.path)
        if found is None:
            return _internal(request, error)
        return problem_response(*found, told_headers(error))
    except (ConnectionError, web.RequestPayloadError):
        problem = Problem(what="the request broke off", where=request.path, expected="all of it")
        return problem_response(400, problem, {})
    except Exception as error:
        return _internal(request, error)


@web.middleware
async def harden(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The security headers, on whatever has not been sent yet."""
    response = await handler(request)
    if not response.prepared:
        set_headers(request, response)
    return response


def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For a handler that sends its head itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")


def identify(book: SessionBook) -> Middleware:
    """Who is logged in; and whoever would change something must know the session's CSRF token.

    An API token comes in a header that no browser sends by itself; then the cookie is not looked at.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            given = request.headers.get("Authorization", "")
            if given.lower().startswith(BEARER):
                await _by_token(book, request, given[len(BEARER) :].strip())
            else:
                await _by_cookie(book, request)
        _check_site(request)
        return await handler(request)

    return middleware


async def _by_token(book: SessionBook, request: web.Request, token: str) -> None:
    who = await book.find(token, address_key(request.remote)) if token.startswith(PREFIX) else None
    if who is not None:
        request[SIGNED_IN] = who
        request[CSRF_CHECKED] = True


async def _by_cookie(book: SessionBook, request: web.Request) -> None:
    token = request.cookies.get(cookie_name(secure=request.secure))
    if token is None or token.startswith(PREFIX):
        return
    who = await book.find(token, address_key(request.remote))
    if who is not None:
        request[SIGNED_IN] = who  # whose session it was that a forged request has used is worth knowing
        _check_csrf(request, who)


def _check_csrf(request: web.Request, who: SignedIn) -> None:
    if request.method in SAFE or (request.method, request.path) in LOG_INS:
        return
    given = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), who.csrf.encode()):
        raise HttpError(
            403,
            "no CSRF token, or not this session's",
            CSRF_HEADER,
            "`csrf` of GET /api/v1/session as this header",
        )
    request[CSRF_CHECKED] = True


def _check_site(request: web.Request) -> None:
    """A log-in has no session yet: a browser itself says where the request comes from."""
    if request.method not in SAFE and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise HttpError(403, "a request made by another site", "Sec-Fetch-Site", "a page of this server")


def problem_response(status: int, problem: Problem, headers: dict[str, str]) -> web.Response:
    body = problem.model_dump_json().encode()
    return web.Response(
        status=status, body=body, content_type="application/json", charset="utf-8", headers=headers
    )


def _http_problem(request: web.Request, error: web.HTTPException) -> Problem:
    where = f"{request.method} {request.path}"
    match error:
        case web.HTTPNotFound():
            return Problem(what="no such path", where=where, expected="one of /api/v1/openapi.json")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem(what="a method that this path does not have", where=where, expected=allowed)
        case web.HTTPRequestEntityTooLarge():
            return Problem(what="the body is too large", where=where, expected="a smaller one")
    return Problem(what=error.reason, where=where, expected="a request as HTTP and the API say")


def _kept(error: web.HTTPException) -> list[tuple[str, str]]:
    return [(name, value) for name, value in error.headers.items() if name in ("Allow", "Retry-After")]


def _internal(request: web.Request, error: Exception) -> web.Response:
    number = secrets.token_hex(4)
    log.error("request failed", number=number, method=request.method, path=request.path, exc_info=error)
    problem = Problem(
        what="an error inside Loa, not yours",
        where=f"log entry {number}",
        expected="a report of that entry to us",
    )
    return problem_response(500, problem, {})
